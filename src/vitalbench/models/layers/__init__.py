"""Layers that several models of one benchmark share."""
