"""The kinds of values that configuration keys take."""

from typing import Annotated, TypeVar

from pydantic import Field
from pydantic_core import PydanticCustomError

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
# A data set, or some of its patients: ptbxl@200 is `subset: {patients: 200}` of ptbxl.
DatasetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*(@[1-9][0-9]{0,8})?$", max_length=64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def each_once(values: list[T]) -> list[T]:
    """A validator: refuse a list that names something twice."""
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError("twice", "names {value} twice", {"value": str(value)})
    return values
