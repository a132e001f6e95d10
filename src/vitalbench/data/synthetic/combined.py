"""PTB-XL and the 2021 Challenge made of generated records, side by side, with PTB-XL's records in the Challenge again.

The copies are the same records at 500 Hz under the Challenge's names. Planted beside them are numbers that PTB-XL's table does not
have, as of the records that its later versions took back.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import resample_poly

from vitalbench.config.dataset import StandIn
from vitalbench.data.snomed import from_statements
from vitalbench.data.synthetic import challenge, ptbxl
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.data.wfdb_record import read_recording
from vitalbench.files import write_text

_SOURCE = "ptb-xl"
_FOLDER = "training/ptb-xl"
_TAKEN_BACK = 3  # records that only the Challenge has
_OF_PTBXL = 3  # one patient in so many is PTB-XL's


def _copy(release: Path, row: dict[Any, Any], place: Path, number: int, rate_hz: int) -> None:
    """One record of PTB-XL as the Challenge has it."""
    digital = read_recording(release / str(row[ptbxl.FILES[rate_hz]]), release).digital
    faster = resample_poly(digital.astype(float), challenge.RATE_HZ // rate_hz, 1, axis=1)
    codes = from_statements(str(row["report"]).removeprefix("generated: ").split())
    said = f"Age: {min(int(row['age']), 89)}", f"Sex: {('Male', 'Female')[int(row['sex'])]}", f"Dx: {','.join(codes)}"
    challenge.write_record(place, np.rint(faster).astype(np.int16), _SOURCE, number, (*said, "Rx: Unknown"))


def write_release(own: Path, other: Path, config: StandIn, rate_hz: int, folders: list[str]) -> None:
    """Write both stand-ins; the same configuration gives the same bytes.

    Args:
        own, other: the folders of PTB-XL and of the Challenge.
        config: a third of its patients are PTB-XL's.
        rate_hz: of PTB-XL's records.
        folders: of the Challenge.
    """
    few = max(config.patients // _OF_PTBXL, 1)
    ptbxl.write_release(own, config.model_copy(update={"patients": few}), rate_hz)
    rest = config.model_copy(update={"patients": max(config.patients - few, 1), "seed": config.seed + 1})
    challenge.write_release(other, rest, [folder for folder in folders if not folder.endswith(_SOURCE)])
    rows = pd.read_csv(own / "ptbxl_database.csv").to_dict("records")
    place = other / _FOLDER / "g1"
    place.mkdir(parents=True, exist_ok=True)
    for row in rows:
        _copy(own, row, place / f"HR{row['ecg_id']:05d}", int(row["ecg_id"]), rate_hz)
    last = max(int(row["ecg_id"]) for row in rows)
    for more in range(1, _TAKEN_BACK + 1):
        _copy(own, rows[-more], place / f"HR{last + more:05d}", last + more, rate_hz)
    # The severities of the copies: the Challenge's reader holds its own table against its records.
    truth = pd.read_csv(other / ptbxl.TRUTH)
    ours = pd.read_csv(own / ptbxl.TRUTH)
    named = [f"HR{number:05d}" for number in ours["ecg_id"]]
    columns = [f"truth:{axis}" for axis in AXES]
    write_text(
        other / ptbxl.TRUTH,
        pd.concat([truth, ours[columns].assign(record_id=named)]).to_csv(index=False, lineterminator="\n"),
    )
