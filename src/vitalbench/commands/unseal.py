"""Decrypt a folder that `seal` made into another, refusing what was altered, exchanged, put in or taken out.

The key comes from --key, or from the environment as docs/CONFIGURATION.md says; it is never shown.
"""

import argparse

from vitalbench.errors import GateError
from vitalbench.privacy.key import need_key
from vitalbench.privacy.sealed_folder import declare, unseal_folder
from vitalbench.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    declare(parser)
    parser.add_argument(
        "--incomplete", action="store_true", help="open what is there though files are missing, name them and exit 1"
    )


def run(args: argparse.Namespace) -> None:
    """Unseal."""
    key = need_key("unseal", args.key)
    count, missing = unseal_folder(args.folder, args.out, key, args.incomplete)
    say(f"{args.out}: {count} files opened with the key {key.fingerprint}")
    for name in missing:
        print(name)
    if missing:
        raise GateError(f"{args.folder}: {len(missing)} missing of what was sealed, named above")
