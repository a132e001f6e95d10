"""Cost: measured time times a dated price."""
