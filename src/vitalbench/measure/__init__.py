"""Measurement: the clock, the device, the timed phases.

`clock` and `device` are the floor every stage may stand on; they import nothing of the package. The rest is a stage.
"""
