"""Age and sex as the headers of the MIT-BIH databases state them: in a comment that begins with both, and names neither."""

import re

import numpy as np
import pandas as pd

from vitalbench.data.age_bands import age_bands

_SAID = re.compile(r"(-?\d{1,3})\s+([MF])(?:\s.*)?")
_SEX = {"M": "male", "F": "female"}
_OLDEST = 120  # years


def age_and_sex(comments: list[str]) -> tuple[float, str]:
    """Of the person a recording is of: years, NaN where none that anyone reaches is stated, and `male`, `female` or `unknown`.

    >>> age_and_sex(["69 M 1085 1629 x1", "Aldomet, Inderal"]), age_and_sex(["-1 F"]), age_and_sex(["2 leads"])
    ((69.0, 'male'), (nan, 'female'), (nan, 'unknown'))
    """
    said = next((match for line in comments if (match := _SAID.fullmatch(line.strip()))), None)
    if said is None:
        return np.nan, "unknown"
    age = float(said[1])
    return age if 0 <= age <= _OLDEST else np.nan, _SEX[said[2]]


def with_subgroups(index: pd.DataFrame) -> pd.DataFrame:
    """An index with `age` and `sex` that has them as subgroups too."""
    return index.assign(**{"group:sex": index["sex"], "group:age_band": age_bands(index["age"])})
