"""Typed, validated configuration; a suite becomes a list of cells."""
