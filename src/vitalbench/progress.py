"""What a running stage tells the person who watches: one line at a time, on standard error."""

import os
import sys


def say(text: str) -> None:
    """Print one line to standard error at once, so that results on standard output stay clean.

    Of several processes that do one job, the first speaks.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        # Whoever watched has gone, by the signal perhaps that is about to reach us: the work is not theirs to stop.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
