"""The kinds of values that configuration keys take."""

import re
from calendar import monthrange
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]


def _counted(what: str, of: str, example: str) -> AfterValidator:
    """A validator: a name, or NAME@N for N patients of it."""

    def checked(name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*(@[1-9][0-9]{0,8})?", name):
            told = {"what": what, "of": of, "example": example}
            raise PydanticCustomError(
                "counted_name",
                "allowed: a {what}'s name, or NAME@N for N of its {of}, as {example}; N is 1 or more",
                told,
            )
        return name

    return AfterValidator(checked)


# A data set, or some of its patients: ptbxl@200 is `subset: {patients: 200}` of ptbxl.
DatasetName = Annotated[str, Field(max_length=64), _counted("data set", "patients", "ptbxl@200")]
# A task, or one with fewer patients to train on: superdiagnostic@200 is `train_patients: 200` of superdiagnostic.
TaskName = Annotated[str, Field(max_length=64), _counted("task", "training patients", "superdiagnostic@200")]


def _printable(text: str) -> str:
    """Refuse what would end a line, or move a terminal's cursor: a message that holds it could pass for another."""
    if not text.isprintable():
        raise PydanticCustomError("printable", "allowed: printable text in one line")
    return text


Line = Annotated[str, Field(max_length=1000), AfterValidator(_printable)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def of_a_user(folder: str) -> str:
    """Refuse a path that begins with the home of a user who is not there."""
    try:
        Path(folder).expanduser()
    except RuntimeError:
        raise PydanticCustomError(
            "user", "begins with {user}, and there is no such user here", {"user": folder.split("/")[0]}
        ) from None
    return folder


def each_once(values: list[T]) -> list[T]:
    """A validator: refuse a list that names something twice."""
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError("twice", "names {value} twice", {"value": str(value)})
    return values


_MONTHS = 12


def is_day(text: str) -> bool:
    """Whether a text is a day of the calendar, written year-month-day.

    >>> is_day("2024-02-29"), is_day("2023-02-29"), is_day("20240229")
    (True, False, False)
    """
    written = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text)
    if written is None:
        return False
    year, month, day = map(int, written.groups())
    return bool(year) and 1 <= month <= _MONTHS and 1 <= day <= monthrange(year, month)[1]
