"""Join a data set's parts to its store, with its tables; or build an older version of it again, in a folder of its own."""

import argparse
from pathlib import Path

from vitalbench.data.build import DataFolder
from vitalbench.data.store_receipt import write_recovered_receipt
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, help="results/data/<data set>/<source>")
    parser.add_argument("--versions", action="store_true", help="list the builds that are kept, newest first")
    parser.add_argument("--recover", metavar="VERSION", help="build this version again, below --out")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where --recover puts it; the current store stays")


def _list(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no data set was built here; name results/data/<data set>/<source>")
    kept = sorted((folder / "versions").glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    if not kept:
        raise InputError(f"{folder}: no build is kept here yet; `snakemake --cores all data` makes one")
    for path in kept:
        manifest = read_json(path)
        print(
            f"{path.stem}  {manifest['records']} records of {manifest['patients']} patients, {len(manifest['parts'])} parts"
        )


def run(args: argparse.Namespace) -> None:
    """Join, list or recover."""
    folder = DataFolder(args.data)
    if args.versions:
        _list(args.data)
    elif args.recover:
        if args.out is None or args.out.resolve() == args.data.resolve():
            raise ConfigError("--recover needs --out FOLDER, another folder than --data")
        print(folder.recover(args.recover, args.out))
        write_recovered_receipt(args.out)
    else:
        folder.join()
