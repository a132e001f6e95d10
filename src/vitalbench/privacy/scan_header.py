"""What looks identifying in a WFDB header: date and time of its record line, names of files and signals, comments."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from vitalbench.privacy.field_names import by_file_name, by_name, is_plain, shown
from vitalbench.privacy.finding import Seen, not_read, says_nothing
from vitalbench.privacy.identifying import OLD, OLDEST, by_value, has_time, is_full_name

_SEPARATOR = re.compile(r">?\s*[:=]\s*")
_KEY_WORDS = 4  # of what stands before a separator, the last ones may be a field's name
_AGES = (
    re.compile(r"\bage\W{0,4}0*(\d{1,3})\b", re.I),
    re.compile(r"^\s*(\d{1,3})\s+[MFmf]\b"),  # `69 M 1085 1629 x1`, as in the MIT-BIH databases
    re.compile(r"\b(\d{1,3})[ -]?(?:years?|yrs?|y/?o)\b", re.I),
)
_FREE_WORDS = 4  # a comment of so many is a sentence


def _record_line(line: str, number: int) -> Iterator[Seen]:
    """After name, signals, rate and samples come the time and the date of recording."""
    name, *rest = line.split()
    what = by_file_name(name)
    if what:
        yield Seen("record name", f"looks like {what}", number, 1, name)
    for token in rest[3:]:
        if has_time(token):
            yield Seen("base time", "time of day", number, 1, token)
        elif by_value([token]):
            yield Seen("base date", "looks like a date", number, 1, token)


def _signal_line(line: str, number: int) -> Iterator[Seen]:
    file, *rest = line.split()
    what = by_file_name(file)
    if what:
        yield Seen("signal file", f"looks like {what}", number, 1, file)
    seen = by_value([" ".join(rest[7:])])  # a signal's description
    if seen:
        yield Seen("signal description", f"looks like {seen[0]}", number, 1, seen[1])


def _keys(words: list[str]) -> list[str]:
    """What of the words before a separator may be a field's name: those that name fields, or else every ending."""
    known = list(takewhile(lambda word: len(word) > 1 and is_plain(word), reversed(words)))
    if known:
        return [" ".join(reversed(known))]
    return [" ".join(words[-count:]) for count in range(1, len(words) + 1)]


def _keyed(text: str) -> Iterator[tuple[str, str, int, int]]:
    """What each field named in a comment would hold, its name, and from where to where its value goes.

    Several may share a line, as in `Age: 54 Name: A B <sex>: F`; a name may also stand before its value with nothing between.
    """
    separators = list(_SEPARATOR.finditer(text))
    for at, here in enumerate(separators):
        words = re.findall(r"[^\s<>]+", text[separators[at - 1].end() if at else 0 : here.start()])
        end = separators[at + 1].start() if at + 1 < len(separators) else len(text)
        for key in _keys(words[-_KEY_WORDS:]):
            what = by_name(key)
            if what:
                yield what, key, here.end(), end
                break
    if separators or by_value([text]):
        return
    words = [(found[0], found.end()) for found in re.finditer(r"\S+", text)]
    for count in range(min(_KEY_WORDS, len(words) - 1), 0, -1):
        key = " ".join(word for word, _ in words[:count])
        what = by_name(key)
        following = words[count][0]
        if what and what != "free text" and (following[:1].isupper() or any(char.isdigit() for char in following)):
            yield what, key, words[count - 1][1], len(text)
            return


def _comment(line: str, number: int) -> Iterator[Seen]:
    text = left = line.lstrip("# ")
    for what, key, start, end in _keyed(text):
        value = text[start:end].strip()
        if not says_nothing(value):
            yield Seen(f"comment '{shown(key)}'", f"named like {what}", number, 1, value)
        left = left[:start] + " " * (end - start) + left[end:]
    seen = by_value([left])
    if seen:
        yield Seen("comment", f"looks like {seen[0]}", number, 1, seen[1])
    elif left == text and is_full_name(text.strip()) and not by_name(text):
        yield Seen("comment", "looks like a name", number, 1, text)
    elif left == text and not _SEPARATOR.search(text) and len(re.findall(r"[^\W\d_]{2,}", text)) >= _FREE_WORDS:
        yield Seen("comment", "free text", number, 1, text)
    for pattern in _AGES:
        age = pattern.search(left)
        if age and OLD <= int(age[1]) < OLDEST:
            yield Seen("comment 'age'", "age of 90 or over", number, 1, age[1])
            return


def header(path: Path) -> Iterator[Seen]:
    """What a header shows; that it cannot be read is a finding too."""
    try:
        lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    except OSError as error:
        yield not_read(error)
        return
    record = True
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            yield from _comment(line, number)
        elif line.strip():
            yield from (_record_line if record else _signal_line)(line, number)
            record = False
