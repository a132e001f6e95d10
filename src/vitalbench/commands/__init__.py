"""The commands, a file each: `arguments(parser)` declares them, `run(args)` does the work and returns the exit code."""
