"""Releases with annotated rhythm made of generated recordings: names, formats, gains and annotations as each of them has.

Planted is what the releases hold: in `afdb` and `nsrdb` gains of 0; in `afdb` two recordings without signals, marks where a rhythm
begins and nowhere else, and a recording of one rhythm that has a single mark; in `cpsc2021` an offset of millivolts, a fraction for
a gain, a note that says `None`, and a last change of rhythm on the last sample or behind it; in `nsrdb` a stretch at the end, and
in some at the start, that no one annotated.
"""

from pathlib import Path

import numpy as np

from vitalbench.config.dataset import StandIn
from vitalbench.data.synthetic.annotated import Heart, recording, write_annotated
from vitalbench.data.wfdb_record import WATERMARK, mark_folder
from vitalbench.errors import InputError, choices
from vitalbench.files import write_text

_AFDB = [
    "00735", "03665", "04015", "04043", "04048", "04126", "04746", "04908", "04936", "05091", "05121", "05261", "06426",
    "06453", "06995", "07162", "07859", "07879", "07910", "08215", "08219", "08378", "08405", "08434", "08455",
]  # fmt: skip
_NSRDB = [
    "16265", "16272", "16273", "16420", "16483", "16539", "16773", "16786", "16795", "17052", "17453", "18177", "18184",
    "19088", "19090", "19093", "19140", "19830",
]  # fmt: skip
_WITHOUT_SIGNALS = ("00735", "03665")
_KINDS = ("non atrial fibrillation", "paroxysmal atrial fibrillation", "persistent atrial fibrillation")
_UNSEEN_S = 15.0  # at the end of a recording of `nsrdb`
_UNSEEN_HEAD_S, _EVERY = 23.0, 3  # at the start of one in so many
_SUSTAINED = "04126"  # of the generated ones fibrillates from end to end
_FIRST_MARK = 30  # sample; rhythms are marked from about the first beat on


def _episodes(seconds: float, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Spells of fibrillation: about as long as the spells between them."""
    edges = np.cumsum(rng.uniform(0.08, 0.3, 12) * seconds)
    pairs = [(float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < seconds]
    return tuple((start, min(end, seconds)) for start, end in pairs)


def _annotated(
    beats: list[tuple[int, str]], episodes: tuple[tuple[float, float], ...], rate_hz: int, last: int, note: str
) -> list[tuple[int, str, str]]:
    """Beats, and a change of rhythm where an episode begins and where it ends, by time."""
    changes = [(round(start * rate_hz), "(AFIB") for start, _ in episodes]
    changes += [(min(round(end * rate_hz), last), "(N") for _, end in episodes]
    marked = [(sample, "+", name) for sample, name in changes]
    return sorted([*marked, *((sample, kind, note) for sample, kind in beats)], key=lambda one: one[0])


def _uncalibrated(header: Path) -> None:
    """Give the leads of a header the gain 0: they are not calibrated."""
    write_text(header, header.read_text(encoding="ascii").replace(" 200.0(0)/mV ", " 0 "))


def _write_afdb(root: Path, config: StandIn, rate_hz: int, seconds: float) -> None:
    for number, name in enumerate(_AFDB[: config.patients]):
        rng = np.random.default_rng([config.seed, number])
        if name in _WITHOUT_SIGNALS:
            write_text(root / f"{name}.hea", f"{name} 0 {rate_hz} {round(seconds * rate_hz)}\n# {WATERMARK}\n")
            continue
        drawn = _episodes(seconds, rng)
        episodes = ((0.0, seconds),) if name == _SUSTAINED else drawn
        heart = Heart(float(rng.normal(80, 10)), {"V": 0.02}, episodes, noise_mv=config.noise_mv)
        signal, beats = recording(heart, rate_hz, seconds, rng)
        del beats  # of rhythm alone the release's `.atr` tells
        last = round(seconds * rate_hz) - 1
        begun = [mark for mark in _annotated([], episodes, rate_hz, last, "") if _FIRST_MARK < mark[0] < last]
        write_annotated(
            root / name, signal, [(_FIRST_MARK, "+", "(AFIB" if name == _SUSTAINED else "(N"), *begun], rate_hz=rate_hz,
            leads=("ECG1", "ECG2"), form="212", gain=200.0, baseline=0,
        )  # fmt: skip
        _uncalibrated(root / f"{name}.hea")


def _write_cpsc2021(root: Path, config: StandIn, rate_hz: int, seconds: float) -> None:
    for person in range(1, config.patients + 1):
        rng = np.random.default_rng([config.seed, person])
        kind = _KINDS[person % len(_KINDS)]
        rate = float(rng.normal(78, 10))
        for take in range(1, 4):
            whole = ((0.0, seconds),) if kind == _KINDS[2] else ()
            episodes = _episodes(seconds, rng) if kind == _KINDS[1] else whole
            signal, beats = recording(
                Heart(rate, {"S": 0.02}, episodes, noise_mv=config.noise_mv), rate_hz, seconds, rng
            )
            last = round(seconds * rate_hz) - (kind == _KINDS[2])  # the last sample, or the one behind it
            note = "None" if person % 2 else ""
            write_annotated(
                root / f"data_{person}_{take}", signal + 4.2, _annotated(beats, episodes, rate_hz, last, note),
                rate_hz=rate_hz, leads=("I", "II"), form="16", gain=9151.773049645391, baseline=-39219, comments=(kind,),
            )  # fmt: skip


def _write_nsrdb(root: Path, config: StandIn, rate_hz: int, seconds: float) -> None:
    for number, name in enumerate(_NSRDB[: config.patients]):
        rng = np.random.default_rng([config.seed, number])
        signal, beats = recording(Heart(float(rng.normal(72, 9)), noise_mv=config.noise_mv), rate_hz, seconds, rng)
        head = _UNSEEN_HEAD_S if number % _EVERY == 1 else 0.0
        seen = [(sample, kind, "") for sample, kind in beats if head <= sample / rate_hz < seconds - _UNSEEN_S]
        write_annotated(
            root / name, signal, seen, rate_hz=rate_hz, leads=("ECG1", "ECG2"), form="212", gain=200.0, baseline=0,
            comments=(f"{20 + number * 7 % 31} {'F' if number % 18 < 13 else 'M'}",),
        )  # fmt: skip
        _uncalibrated(root / f"{name}.hea")


_RELEASES = {"afdb": _write_afdb, "cpsc2021": _write_cpsc2021, "nsrdb": _write_nsrdb}


def write_release(root: Path, release: str, config: StandIn, rate_hz: int) -> None:
    """Write a stand-in below `root`; the same configuration gives the same bytes.

    Args:
        root: a folder, made if need be.
        release: whose layout it has.
        config: how many patients, how long each recording, how noisy, which seed.

    Raises:
        InputError: another release.
    """
    if release not in _RELEASES:
        raise InputError(f"no stand-in is known of the release {release!r}; {choices(release, _RELEASES)}")
    mark_folder(root)
    _RELEASES[release](root, config, rate_hz, config.seconds or 120.0)
