"""Encoders that are trained no more, a file a model family: `constants(encoder, ...)` gives the same function, sooner."""
