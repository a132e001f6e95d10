"""Recipes, a file each: how a design turns training records into probabilities. A file defines `fit(context) -> Outcome`."""
