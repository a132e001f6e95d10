"""The tables that list a release's records, where they lie: as they are named, or packed by gzip."""

from pathlib import Path

from vitalbench.config.dataset import DatasetBuild

_PACKED = ".gz"


def table_at(root: Path, name: str) -> Path:
    """A table's file: of its own name, or of that with .gz behind it where only that is there."""
    packed = root / f"{name}{_PACKED}"
    return packed if packed.is_file() and not (root / name).is_file() else root / name


def index_tables(root: Path, config: DatasetBuild) -> list[Path]:
    """The tables of `index_files`, and of `index_beside` those that are there."""
    beside = [table_at(root, name) for name in config.index_beside]
    return [*(table_at(root, name) for name in config.index_files), *(path for path in beside if path.is_file())]
