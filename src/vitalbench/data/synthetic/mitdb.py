"""MIT-BIH Arrhythmia made of generated recordings: the database's names, its leads by recording, format 212, `.atr`."""

from pathlib import Path

import numpy as np

from vitalbench.config.dataset import StandIn
from vitalbench.data.synthetic.annotated import Heart, recording, write_annotated
from vitalbench.data.wfdb_record import mark_folder

RATE_HZ = 360
_LEADS = {"102": ("V5", "V2"), "104": ("V5", "V2"), "114": ("V5", "MLII"), "100": ("MLII", "V5"), "123": ("MLII", "V5")}
_OTHERS = ("MLII", "V1")
_GAIN, _BASELINE = 200.0, 1024
_UNKNOWN_AGE = "105"
_EXCERPT = "x_108"  # what the release's x_mitdb/ holds beside the 48


def _heart(paced: bool, noise_mv: float, rng: np.random.Generator) -> Heart:
    """Some hearts have hardly an ectopic beat, some have many: the classes lie in few recordings, as they do in the database."""
    share = rng.dirichlet([0.3, 0.3, 0.15, 4.0])
    chance = dict(zip("SVF", np.minimum(share[:3], 0.3).tolist(), strict=True))
    return Heart(rate=float(rng.normal(75, 10)), chance=chance, paced=paced, noise_mv=noise_mv)


def _comments(person: str) -> tuple[str, ...]:
    """A header's lines of whom it is: age and sex first, without names; the age of some is not known."""
    number = int(person)
    age = -1 if person == _UNKNOWN_AGE else 23 + number * 7 % 67
    return f"{age} {'MF'[number % 2]} 1085 1629 x1", "None"


def write_release(root: Path, config: StandIn, records: list[str], paced: list[str]) -> None:
    """Write a stand-in below `root`; the same configuration gives the same bytes.

    Args:
        root: a folder, made if need be.
        config: `patients` of the recordings are written, in their order; `seconds` is how long each is.
        records: all of the database's.
        paced: those with a pacemaker's beats.
    """
    mark_folder(root)
    (root / "x_mitdb").mkdir(parents=True, exist_ok=True)
    for number, record in enumerate(records[: config.patients]):
        person = "201" if record == "202" else record  # one person, two recordings
        rng = np.random.default_rng([config.seed, int(person), number])
        heart = _heart(record in paced, config.noise_mv, np.random.default_rng([config.seed, int(person)]))
        signal, beats = recording(heart, RATE_HZ, config.seconds or 60.0, rng)
        leads = _LEADS.get(record, _OTHERS)
        shown = signal[::-1] if leads[1] == "MLII" else signal
        told = [(0, "+", "(N"), *((sample, kind, "") for sample, kind in beats)]
        for place in [root / record, *([root / "x_mitdb" / _EXCERPT] if record == "108" else [])]:
            write_annotated(
                place, shown, told, rate_hz=RATE_HZ, leads=leads, form="212", gain=_GAIN, baseline=_BASELINE,
                comments=_comments(person),
            )  # fmt: skip
