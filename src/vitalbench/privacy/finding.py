"""What a scan found in one place; what it saw there never leaves this object but as a shape."""

import dataclasses
import re
from dataclasses import dataclass

_NOTHING = re.compile(r"[\W_]*(?:n/?a|nan|null|none|unknown|anonym\w*|removed|redacted|deidentified|x+)?[\W_]*", re.I)
_LONGEST = 100  # characters of a value that is struck out


@dataclass(frozen=True)
class Seen:
    """A field of one file that looks identifying.

    Attributes:
        field: its name, as it may be shown.
        line: of the file, or 0.
        count: values that look so.
        value: one of them.
        name: of a column, as it is.
    """

    field: str
    why: str
    line: int
    count: int
    value: str = dataclasses.field(default="", repr=False)
    name: str = dataclasses.field(default="", repr=False)


def says_nothing(value: str) -> bool:
    """Whether a value is left out or struck out.

    >>> says_nothing("n/a"), says_nothing("??"), says_nothing("XXXX"), says_nothing("Erika")
    (True, True, True, False)
    """
    return len(value) <= _LONGEST and bool(_NOTHING.fullmatch(value))


def not_read(error: Exception, line: int = 0) -> Seen:
    """A file, or the rest of one, that could not be read. The error's own text may hold a value."""
    return Seen("", f"could not be read: {type(error).__name__}", line, 1)
