"""Evaluation: metrics by task, intervals by bootstrap over patients, paired comparison."""
