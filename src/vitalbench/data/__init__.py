"""Data: acquire, standardise, store, quality; a data set is one module in `datasets`, a generator one in `synthetic`."""
