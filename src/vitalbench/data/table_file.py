"""A data set's tables as parquet files, sealed or plain: a reader need not know which, only have the key."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.errors import InputError
from vitalbench.files import atomic
from vitalbench.privacy.key import Key, need_key
from vitalbench.privacy.vault import is_sealed, opened_bytes, sealed_bytes


def write_table(table: pd.DataFrame, path: Path, key: Key | None) -> None:
    """Write a table, atomically; sealed and bound to its file's name where there is a key."""
    with atomic(path) as temporary:
        if key is None:
            table.to_parquet(temporary, index=False)
        else:
            temporary.write_bytes(sealed_bytes(key, path.name, table.to_parquet(index=False)))


def seal_table(path: Path, key: Key) -> None:
    """Seal a table that was written plain."""
    content = sealed_bytes(key, path.name, path.read_bytes())
    with atomic(path) as temporary:
        temporary.write_bytes(content)


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
