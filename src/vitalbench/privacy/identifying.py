"""What looks identifying, by the name of a field or by its values: dates, names, addresses, telephone numbers, ids.

After the identifiers of the HIPAA Safe Harbor rule, 45 CFR 164.514(b)(2), as far as text can show them. It finds what looks like
one, so it errs both ways: a finding is a question to the person who knows the data, and no finding is no proof.
"""

import re
from collections.abc import Iterable, Sequence

# Words of a field's name, and what the field would hold.
_NAMES = {
    "a name": "name surname forename firstname lastname givenname familyname fullname initials nurse physician doctor operator "
    "technician referring cardiologist clinician validated",
    "a date": "date dates dob birth birthday birthdate born admitted discharged deceased death day datetime timestamp",
    "an address": "address street zip zipcode postcode postal city town county residence",
    "a telephone number": "phone telephone tel mobile cell fax",
    "an e-mail address": "email mail",
    "an id": "mrn ssn nhs nino passport licence license account medicare ip url accession subject_identifier",
    "free text": "report comment comments note notes remark remarks narrative history text diagnosis_text",
}
_WORDS = {word: what for what, words in _NAMES.items() for word in words.split()}
_ENDED_BY_BY = "a name"  # validated_by, reported_by: a person

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_VALUES = {
    "a date": re.compile(
        rf"\b(?:(?:19|20)\d\d([-/.])\d{{1,2}}\1\d{{1,2}}|\d{{1,2}}([-/.])\d{{1,2}}\2(?:19|20)?\d\d"
        rf"|\d{{1,2}}[-. ]?{_MONTH}[-. ,]*(?:19|20)?\d\d|{_MONTH} \d{{1,2}},? (?:19|20)\d\d)\b",
        re.I,
    ),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.I),
    "a telephone number": re.compile(
        r"(?<![\w.])\+\d{1,3}[ -]?(?:\(?\d{1,5}\)?[ -]?){2,5}\d{2,}\b|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b"
    ),
    "an id": re.compile(r"\b\d{3}-\d{2}-\d{4}\b|\b(?:\d{1,3}\.){3}\d{1,3}\b"),
    "a name": re.compile(
        r"\b(?:Dr|Mr|Mrs|Ms|Prof)\.? [A-Z][a-z]+|\b[A-Z][A-Za-z'-]+\^[A-Z][A-Za-z'-]*|^[A-Z][a-z'-]+, [A-Z][a-z'-]+\.?$"
    ),
    "an address": re.compile(r"\b\d{1,5} [A-Z][a-z]+ (?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Way|Square)\b"),
}
_TIME = re.compile(r"\b([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?\b")


def _words(field: str) -> list[str]:
    spread = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", field)
    return [word for word in re.split(r"[^a-z0-9]+", spread.lower()) if word]


def by_name(field: str) -> str | None:
    """What a field of this name would hold; None where the name says nothing.

    >>> by_name("DateOfBirth"), by_name("validated_by"), by_name("filename_lr"), by_name("heart_axis")
    ('a date', 'a name', None, None)
    """
    words = _words(field)
    for word in words:
        if word in _WORDS and not (word == "validated" and "human" in words):
            return _WORDS[word]
    return _ENDED_BY_BY if words[-1:] == ["by"] else None


def by_value(values: Iterable[str]) -> tuple[str, str] | None:
    """What the first value that looks identifying looks like, and that value; None where none does.

    >>> by_value(["normal", "12.03.1956"])
    ('a date', '12.03.1956')
    >>> by_value(["sinus rhythm", "1.0", "records100/00000/00001_lr"])
    """
    for value in values:
        for what, pattern in _VALUES.items():
            if pattern.search(value):
                return what, value
    return None


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
