"""Ages in four bands, the subgroups that every data set with ages has."""

import pandas as pd

_BELOW = {"under 40": 40.0, "40 to 59": 60.0, "60 to 79": 80.0, "80 and over": 1000.0}


def age_bands(ages: pd.Series) -> pd.Series:
    """The band of each age in years; `unknown` where there is none.

    >>> age_bands(pd.Series([39.0, 60.0, 300.0, None])).tolist()
    ['under 40', '60 to 79', '80 and over', 'unknown']
    """

    def band(age: float) -> str:
        return "unknown" if pd.isna(age) else next(name for name, below in _BELOW.items() if age < below)

    return ages.map(band, na_action=None)
