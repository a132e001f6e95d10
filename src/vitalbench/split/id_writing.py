"""Ids in their plain writing: what one person or program writes 007 and another writes 7 is brought to one form."""

import re
import unicodedata

import pandas as pd

_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_DECIMALS = re.compile(r"(?<=[0-9])\.0+$")  # a number that went through a table of floating point
# Marks that show nothing beside those of category Cf (Unicode: Default_Ignorable_Code_Point), fillers and variation selectors.
_SHOWN_BY_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_ZEROS = re.compile(r"(^|/)0+(?=[0-9])")


def plain_id(text: str) -> str:
    """An id without what writing alone adds: composed or not, wide or not, case, marks that show nothing, spaces, leading zeros.

    >>> plain_id(" Set/007.0"), plain_id("Zoe\u0308") == plain_id("ZO\u00cb"), plain_id("p\u200b1\ufe0f")
    ('set/7', True, 'p1')
    """
    if not text.isascii():
        bare = _SHOWN_BY_NOTHING.sub("", text)
        shown = "".join(mark for mark in unicodedata.normalize("NFKC", bare) if unicodedata.category(mark) != "Cf")
        text = unicodedata.normalize("NFKC", _DASHES.sub("-", shown).casefold())
    steps = "/".join(" ".join(step.split()) for step in text.casefold().split("/"))
    return _ZEROS.sub(r"\1", _DECIMALS.sub("", steps))


def in_plain_writing(ids: pd.Series) -> pd.Series:
    """A column of ids, each in plain writing; what is no id stays none."""
    known = ids.dropna().unique()
    return ids.map({name: plain_id(str(name)) for name in known})
