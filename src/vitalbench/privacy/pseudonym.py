"""Pseudonyms: another name for an id that the key alone leads to (HMAC-SHA256), the same in every build with that key."""

import hashlib
import hmac
from collections.abc import Iterable

from vitalbench.privacy.key import Key

_DIGITS = 20  # 80 bits: among a hundred million ids two meet with a chance of 1 in 200 million


def pseudonyms(ids: Iterable[str], kind: str, dataset: str, key: Key) -> dict[str, str]:
    """The pseudonym of each id.

    Args:
        kind: what the ids are of (`record`, `patient`); equal ids of two kinds get two pseudonyms.
        dataset: whose ids; equal ids of two data sets get two pseudonyms.
    """
    secret = key.derived("pseudonyms")

    def pseudonym(text: str) -> str:
        return hmac.new(secret, f"{kind}\0{dataset}\0{text}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]

    return {text: pseudonym(text) for text in ids}
