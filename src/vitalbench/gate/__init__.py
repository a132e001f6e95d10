"""The regression gate: a suite held against what it was, accuracy and speed together, each with its noise."""
