"""Encrypt every file of a folder into another (AES-256-GCM), file names kept; `unseal` opens it again.

The key comes from --key, or from the environment as docs/CONFIGURATION.md says; it is never shown.
"""

import argparse

from vitalbench.privacy.key import need_key
from vitalbench.privacy.sealed_folder import declare, seal_folder
from vitalbench.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    declare(parser)


def run(args: argparse.Namespace) -> None:
    """Seal."""
    key = need_key("seal", args.key)
    count = seal_folder(args.folder, args.out, key)
    say(f"{args.out}: {count} files sealed with the key {key.fingerprint}")
