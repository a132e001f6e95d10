"""What a field would hold by the words of its name, in the spellings that tables and headers use; and a name shown without a value.

After the identifiers of the HIPAA Safe Harbor rule, 45 CFR 164.514(b)(2). A name is cut into words (`SubjectID`, `patient_id`,
`Hospital number`, `dateofbirth`), so that a word counts in any of them.
"""

import re
import unicodedata
from functools import cache

from vitalbench.privacy.identifying import by_value, is_given_name, is_packed_date, masked
from vitalbench.privacy.words import ALONE, DATED, HOLDS, KNOWN, MARKS, NUMBERED, NUMBERS, PEOPLE, THINGS, TIMES

_SMALL = {"the", "a", "an", "s"}
_REACHED = {"an e-mail address", "a telephone number", "an address"}
_SHORT = 3  # letters of a given name that is an abbreviation as often
_LONGEST = 40  # letters of a word that is taken apart


@cache
def _apart(word: str) -> tuple[str, ...]:
    """A word written together as the known words it is made of, the fewest; itself where it is not."""
    if word in KNOWN or len(word) > _LONGEST:
        return (word,)
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(2, len(word) + 1):
        found = [
            (*before, word[start:end])
            for start in range(end - 1)
            if (before := best[start]) is not None and word[start:end] in KNOWN
        ]
        best[end] = min(found, key=len, default=None)
    return best[-1] or (word,)


def words_of(field: str) -> list[str]:
    """The words of a name, in small letters without accents.

    >>> words_of("SubjectID"), words_of("Hospital_No."), words_of("dateofbirth")
    (['subject', 'id'], ['hospital', 'no'], ['date', 'of', 'birth'])
    """
    plain = "".join(char for char in unicodedata.normalize("NFKD", field[:400]) if not unicodedata.combining(char))
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", plain)
    return [part for word in re.findall(r"[^\W\d_]+", spread.casefold()) for part in _apart(word)]


def _named_id(words: set[str]) -> bool:
    if words & MARKS:
        return not words & THINGS
    if words & NUMBERS:
        return bool(words & (NUMBERED | PEOPLE)) and "of" not in words
    return bool(words & {"licence", "license"} and words & {"driver", "plate"})


def by_name(field: str) -> str | None:
    """What a field of this name would hold; None where the name says nothing.

    >>> by_name("DateOfBirth"), by_name("validated_by"), by_name("filename_lr"), by_name("heart_axis")
    ('a date', 'a name', None, None)
    >>> by_name("patient_id"), by_name("Hospital number"), by_name("number of patients"), by_name("lead_name")
    ('an id', 'an id', None, None)
    """
    inorder = words_of(field)
    words = set(inorder)
    for what, alone in ALONE.items():
        if words & alone and words <= alone | _SMALL:
            return what
    if words & {"ip", "mac"} and "address" in words:
        return "an id"
    for word in inorder:
        held = HOLDS.get(word)
        if held in _REACHED and words & THINGS - {"code"}:
            continue
        if held and not (word == "validated" and "human" in words):
            return held
    if words & DATED and words & TIMES:
        return "a date"
    if _named_id(words):
        return "an id"
    if words & {"name", "names"} and not words & THINGS:
        return "a name"
    return "a name" if inorder[-1:] == ["by"] else None


def is_age(field: str) -> bool:
    """Whether a field of this name would hold an age."""
    return "age" in words_of(field)


def by_file_name(name: str) -> str | None:
    """What a part of a path tells of a person; None where it tells nothing that can be seen.

    >>> by_file_name("Mustermann_Erika.hea"), by_file_name("ecg-20191231.dat"), by_file_name("00001_lr.hea")
    ('a name', 'a date', None)
    """
    spaced = re.sub(r"[_\s]+", " ", name)
    seen = by_value([spaced, re.sub(r"(\.[A-Za-z0-9]{1,8}){1,2}$", "", spaced)])
    if seen:
        return seen[0]
    if any(is_packed_date(digits) for digits in re.findall(r"(?<![^\W_])\d+(?![^\W_])", name)):
        return "a date"
    words = [word for word in re.findall(r"[^\W\d_]{3,}", name) if any(part not in KNOWN for part in words_of(word))]
    given = [word for word in words if len(word) > _SHORT and is_given_name(word)]
    named = [word for word in words if word[0].isupper() and word[1:].islower()]
    return "a name" if given or len(named) > 1 else None


def shown(name: str) -> str:
    """A name as it may be shown: words that name fields stay, any other word and every digit becomes its shape.

    The name of a column may be a value, where a table has no header, and that of a file the name of a person.

    >>> shown("recording_date"), shown("Erika Mustermann"), shown("a/Mustermann_1956.hea")
    ('recording_date', 'Xxxxx Xxxxxxxxxx', 'a/Xxxxxxxxxx_9999.hea')
    """

    def safe(found: re.Match[str]) -> str:
        text = found[0]
        return (
            text
            if (len(text) == 1 and text.isascii()) or all(word in KNOWN for word in words_of(text))
            else masked(text, 400)
        )

    letters = re.sub(r"[^\W\d_]+", safe, name)
    return "".join("9" if char.isnumeric() else char if char.isprintable() else "?" for char in letters)


def is_plain(name: str) -> bool:
    """Whether a name is shown as it is."""
    return shown(name) == name
