"""Decrypt a folder that `seal` made into another, refusing what was altered, cut off, swapped or renamed.

The key comes from --key, or from the environment as docs/CONFIGURATION.md says; it is never shown.
"""

import argparse
from pathlib import Path

from vitalbench.privacy.key import need_key
from vitalbench.privacy.vault import unseal_folder
from vitalbench.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument("--key", type=Path, metavar="FILE", help="a file with the key, which its owner alone may read")


def run(args: argparse.Namespace) -> None:
    """Unseal."""
    key = need_key("unseal", args.key)
    count = unseal_folder(args.folder, args.out, key)
    say(f"{args.out}: {count} files opened with the key {key.fingerprint}")
