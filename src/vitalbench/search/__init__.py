"""Hyperparameter search: trials that never see the test split, and the choice among them."""
