"""What a running stage tells the person who watches: one line at a time, on standard error."""

import sys


def say(text: str) -> None:
    """Print one line to standard error at once, so that results on standard output stay clean."""
    print(text, file=sys.stderr, flush=True)
