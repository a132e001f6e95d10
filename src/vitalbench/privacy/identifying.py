"""What looks identifying by its value: dates, names, addresses, telephone numbers, ids; and a value shown as a shape.

After the identifiers of the HIPAA Safe Harbor rule, 45 CFR 164.514(b)(2), as far as text can show them. It finds what looks like
one, so it errs both ways: a finding is a question to the person who knows the data, and no finding is no proof.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from vitalbench.privacy.words import GIVEN

_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞĀ-Ž", "a-zß-öø-ÿ"
_CAP = rf"[{_UPPER}][{_UPPER}{_LOWER}'’-]+"
_FIRST = "|".join(f"{name.title()}|{name.upper()}" for name in sorted(GIVEN))
_TITLE = rf"(?:[{_UPPER}]['’])?[{_UPPER}][{_LOWER}'’-]+(?:[{_UPPER}][{_LOWER}]+)?"  # sets names off from lists of codes
_PREFIX = r"(?:(?:van|von|der|den|de|di|da|la|le|bin|al|zu) )*"

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)"
)
_YEAR = r"(?:19|20|21)\d\d"  # and the dates that are moved into the next century to hide them
_VALUES = {
    "a date": re.compile(
        rf"(?<!\d)(?<!\d\.)(?:{_YEAR}([-/.])\d{{1,2}}\1\d{{1,2}}|\d{{1,2}}([-/.])\d{{1,2}}\2(?:{_YEAR}|\d\d))(?!\d|\.\d|[a-su-z])"
        rf"|\b\d{{1,2}}[-. ]?{_MONTH}[-. ,]*(?:{_YEAR}|\d\d)\b"
        rf"|\b{_MONTH}\.? \d{{1,2}},? {_YEAR}\b|\b{_MONTH}[ .,/-]+{_YEAR}\b",
        re.I,
    ),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.I),
    "a telephone number": re.compile(
        r"(?<![\w.])\+\d{1,3}[ -]?(?:\(?\d{1,5}\)?[ -]?){2,5}\d{2,}\b|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}[-.]\d{3}[-.]\d{4}\b"
        r"|(?<![\w.-])0\d{2,4}[ -]\d{5,9}(?![\w.-])|\b\d{3} \d{3} \d{4}\b"
    ),
    "an id": re.compile(r"\b\d{3}-\d{2}-\d{4}\b|\b(?:\d{1,3}\.){3}\d{1,3}\b"),
    "a name": re.compile(
        rf"\b(?:Dr|Mr|Mrs|Ms|Prof|Herr|Frau)\.? {_CAP}|\b{_CAP}\^{_CAP}|\b{_CAP}\^[{_UPPER}]?"
        rf"|^\s*{_PREFIX}{_TITLE}(?:[ -]{_TITLE})?, ?(?:{_TITLE}|[{_UPPER}]\.)(?: (?:{_TITLE}|[{_UPPER}]\.?))?\s*$"
        rf"|\b(?:{_FIRST})(?: [{_UPPER}]\.?)? {_PREFIX}{_CAP}|\b{_CAP}, ?(?:{_FIRST})\b"
    ),
    "an address": re.compile(
        r"\b\d{1,5} (?:[A-Z][a-z]+ ){1,2}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Way|Square|Court|Boulevard|Blvd)\b"
        r"|\b[A-ZÄÖÜ]\w+(?:straße|strasse|str\.|weg|gasse|allee) \d+|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"
    ),
}
OLD = 90  # ages from here on identify (45 CFR 164.514(b)(2)(i)(C))
OLDEST = 130  # beyond, a release's own code for "90 or older"
_OF_DIGITS = {"a date", "a telephone number", "an id", "an address"}  # a value without a digit is none of these
_PIECE, _OVERLAP = 400, 100  # characters
_DIGIT = re.compile(r"\d")
_TIME = re.compile(r"\b([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?\b")
_DIGITS_ONLY = re.compile(rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_DECIMAL = re.compile(
    r"[-+]?\d{0,8}(?:\.\d*)?(?:e[-+]?\d+)?", re.I
)  # shows none of the above, and tables are full of them
_FULL_NAME = re.compile(rf"(?:{_CAP}|[{_UPPER}]\.?)(?: (?:{_CAP}|[{_UPPER}]\.?)){{1,3}}")


def _pieces(value: str) -> Iterator[str]:
    """A long text in overlapping pieces: the time that a pattern takes grows with the square of what it is given."""
    yield value[:_PIECE]
    for start in range(_PIECE - _OVERLAP, len(value) - _OVERLAP, _PIECE - _OVERLAP):
        yield value[start : start + _PIECE]


def by_value(values: Iterable[str]) -> tuple[str, str] | None:
    """What the first value that looks identifying looks like, and that value; None where none does.

    >>> by_value(["normal", "12.03.1956"])
    ('a date', '12.03.1956')
    >>> by_value(["sinus rhythm", "1.0", "records100/00000/00001_lr"])
    """
    for value in values:
        if _DECIMAL.fullmatch(value):
            continue
        digit, capital = bool(_DIGIT.search(value)), value != value.lower()
        for what, pattern in _VALUES.items():
            wanted = digit if what in _OF_DIGITS else capital or what != "a name"
            if wanted and any(pattern.search(piece) for piece in _pieces(value)):
                return what, value
    return None


def is_packed_date(value: str) -> bool:
    """Whether a value is a date in digits alone, year first; an id may be one by chance.

    >>> is_packed_date("19560312"), is_packed_date("19561312")
    (True, False)
    """
    return bool(_DIGITS_ONLY.fullmatch(value))


def is_full_name(value: str) -> bool:
    """Whether a value has the form of a full name, as many a diagnosis has too.

    >>> is_full_name("Ada B. Lovelace"), is_full_name("Sinus Rhythm"), is_full_name("sinus rhythm")
    (True, True, False)
    """
    return len(value) <= _OVERLAP and bool(_FULL_NAME.fullmatch(value))


def is_given_name(word: str) -> bool:
    """Whether a word is one of the commonest given names."""
    return word.casefold() in GIVEN


def has_time(value: str) -> bool:
    """Whether a value holds a time of day."""
    return bool(_TIME.search(value))


def masked(value: str, longest: int = 40) -> str:
    """The shape of a value and none of its content: letters as x, digits as 9.

    >>> masked("Müller, Anna 12.03.1956")
    'Xxxxxx, Xxxx 99.99.9999'
    """

    def shape_of(char: str) -> str:
        if char.isalpha():
            return "X" if char.isupper() else "x"
        if char.isnumeric():
            return "9"
        return char if char.isascii() and char.isprintable() else "?"

    shape = "".join(map(shape_of, value))
    return shape if len(shape) <= longest else shape[: longest - 3] + "..."


def is_free_text(values: Sequence[str]) -> bool:
    """Whether values read as sentences rather than codes: on the median four words or more, most of them said once."""
    if len(values) < 2:
        return False
    counts = sorted(len(value.split()) for value in values)
    return counts[len(counts) // 2] >= 4 and len(set(values)) > len(values) / 2
