"""Training: one engine for every design, and the recipes that use it."""
