"""Show a suite at work: its running cells with loss, speed, memory, time and cost, and how the others stand.

On a terminal the view is kept up to date until nothing is left to run, or Ctrl-C; elsewhere, and with --once, it is printed once.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from vitalbench.files import write_text
from vitalbench.watch.cells import INTERRUPTED, RUNNING, WAITING, Seen, look
from vitalbench.watch.of_job import read_watch
from vitalbench.watch.view import view

_EVERY = 1.0  # seconds
_PICTURE = 100  # columns of a picture that no terminal gives a width


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
    )
    parser.add_argument("--once", action="store_true", help="print the view once")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write what was shown last as a picture too")


def _view(folder: Path, cells: list[Seen]) -> RenderableType:
    return view(str(folder), cells, read_watch(folder).budget_suite_usd)


def _live(console: Console, folder: Path) -> list[Seen]:
    """Show until nothing is left to run, or Ctrl-C; returns what was shown last."""
    cells = look(folder)
    pause = threading.Event()
    # Whoever starts it in the background of a shell leaves SIGINT ignored; on a terminal Ctrl-C ends it all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Live(_view(folder, cells), console=console, auto_refresh=False) as live:
        try:
            while any(seen.state in (RUNNING, WAITING, INTERRUPTED) for seen in cells):
                pause.wait(_EVERY)
                cells = look(folder)
                live.update(_view(folder, cells), refresh=True)
        except KeyboardInterrupt:
            return cells
    return cells


def run(args: argparse.Namespace) -> None:
    """Watch."""
    console = Console(file=sys.stdout)
    if args.once or not console.is_terminal:
        cells = look(args.results)
        console.print(_view(args.results, cells))
    else:
        cells = _live(console, args.results)
    if args.svg:
        width = console.width if console.is_terminal else _PICTURE
        with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
            picture = Console(record=True, width=width, file=nowhere, force_terminal=True, color_system="truecolor")
            picture.print(_view(args.results, cells))
        write_text(args.svg, picture.export_svg(title="vitalbench watch"))
