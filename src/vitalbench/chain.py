"""A receipt's chain: links in order, the hash of each over its own content and the hash before it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitalbench.errors import InputError
from vitalbench.files import file_digest, to_json

SHOWN = 12  # hex digits of a hash that a message shows


def _link_hash(name: str, content: Any, previous: str) -> str:
    return hashlib.sha256(to_json({"link": name, "content": content, "previous": previous}).encode()).hexdigest()


def chained(links: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Chain links in the order given.

    >>> [link["link"] for link in chained({"source": {"a": "1"}, "output": {"b": "2"}})]
    ['source', 'output']
    """
    chain: list[dict[str, Any]] = []
    previous = ""
    for name, content in links.items():
        previous = _link_hash(name, content, previous)
        chain.append({"link": name, "content": content, "hash": previous})
    return chain


def contents(chain: Any, file: Path) -> tuple[dict[str, Any], list[str]]:
    """A chain's links by name, and a line for each whose hash is not that of its content and all before it.

    Raises:
        InputError: `file`, which it was read from, holds no chain.
    """
    found, problems, previous = {}, [], ""
    try:
        for link in chain:
            name, content, stated = str(link["link"]), link["content"], str(link["hash"])
            previous = _link_hash(name, content, previous)
            if stated != previous:
                problems.append(f"{file}: link '{name}': states {stated[:SHOWN]}, its content gives {previous[:SHOWN]}")
            previous = stated  # so that one edited link is told once
            found[name] = content
    except (TypeError, KeyError):
        raise InputError(f"{file}: holds no chain of links") from None
    return found, problems


def hashes(files: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of files, by the names a receipt gives them."""
    return {name: file_digest(path) for name, path in sorted(files.items())}


def differing(link: str, stated: Mapping[str, str], folder: Path) -> list[str]:
    """A line for each file of a link that is missing or has other bytes than stated.

    Args:
        stated: SHA-256 by path below `folder`.
    """
    problems = []
    for name, expected in stated.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{link}: {path}: missing")
        elif (here := file_digest(path)) != expected:
            problems.append(f"{link}: {path}: receipt {expected[:SHOWN]}, here {here[:SHOWN]}")
    return problems
