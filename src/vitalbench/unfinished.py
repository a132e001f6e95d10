"""Jobs that did not come to their end, for Snakemake to run again.

Snakemake puts back what a failed job was to replace, as new as if the job had made it, and takes it for up to date. So beside such
an output lies the name of the last attempt that came to nothing; it is a parameter of the rule, and a parameter that changed since
an output was made is a reason to make it again.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitalbench.errors import InputError
from vitalbench.files import read_json


def _name(output: Path) -> Path:
    return output.with_name(f".{output.name}.attempt")


def attempt(output: Path) -> str:
    """The last attempt at an output that came to nothing; empty where none did."""
    path = _name(output)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _attempted(output: Path, name: str) -> None:
    path = _name(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name:
        path.write_text(name, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


@contextmanager
def at_work(output: Path) -> Iterator[None]:
    """Replace an output: an attempt that came to nothing unless the end is reached."""
    before = attempt(output)
    _attempted(output, secrets.token_hex(4))
    yield
    _attempted(output, before)


def miss_parts(folder: Path) -> None:
    """Have a store made again of which a part is gone: a missing file that nothing asks for is none to Snakemake.

    Args:
        folder: results/data/<data set>/<source>.
    """
    store = folder / "store.h5"
    if not store.is_file():
        return
    try:
        named = list(read_json(folder / "manifest.json")["parts"])
    except (InputError, TypeError):  # missing or damaged, which the job that reads it tells
        return
    if any(not (folder / "parts" / name).is_file() for name in named):
        _attempted(store, secrets.token_hex(4))
