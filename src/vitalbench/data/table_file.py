"""A data set's tables as parquet files, sealed or plain: a reader need not know which, only have the key."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pandas as pd

from vitalbench.errors import InputError
from vitalbench.files import atomic
from vitalbench.privacy.key import Key, need_key
from vitalbench.privacy.vault import SealedWriter, is_sealed, opened_bytes


def write_table(table: pd.DataFrame, path: Path, key: Key | None) -> None:
    """Write a table, atomically; sealed and bound to its file's name where there is a key."""
    write_parquet(path, key, lambda target: table.to_parquet(target, index=False))


def write_parquet(path: Path, key: Key | None, write: Callable[[IO[bytes] | SealedWriter], object]) -> None:
    """Write what `write` makes, atomically; with a key it is sealed as it is made, so that no plain byte reaches a disk."""
    with atomic(path) as temporary, temporary.open("wb") as target:
        if key is None:
            write(target)
            return
        sealed = SealedWriter(key, path.name, target)
        write(sealed)
        sealed.finish()


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table.

    Args:
        options: pandas.read_parquet's.

    Raises:
        FileNotFoundError: it is not there.
        InputError: damaged, or sealed with another key than the one here.
    """
    try:
        if is_sealed(path):
            return pd.read_parquet(
                BytesIO(opened_bytes(need_key(f"{path}: sealed: reading it"), path.name, path)), **options
            )
        return pd.read_parquet(path, **options)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as parquet: {str(error)[:200]}") from None
