"""What this machine can run, looked at one thing at a time."""
