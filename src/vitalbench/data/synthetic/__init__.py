"""Generated records, made so that the best score anyone can reach on them is known."""
