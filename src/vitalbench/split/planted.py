"""How well the near-duplicate search works: the share of planted copies it finds, and what it takes for a copy that is none.

Records are cut to two thirds of their length, so that a copy moved by up to half of that is a later stretch of the same recording:
its samples outside the overlap are real ones, not a fill.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import resample_poly

from vitalbench.data.store import read_records
from vitalbench.errors import InputError
from vitalbench.split.fingerprint import Floats
from vitalbench.split.neighbours import Signals, of_store, search

COLUMNS = ["what", "share", "low", "high", "found", "of"]
_MOST_SHIFT = 0.5
_CUT = 1 / (1 + _MOST_SHIFT)
_SCALES = (0.3, 3.0)
_RESAMPLED_HZ = 80  # a copy was once stored at this rate
Change = Callable[[Floats, float, np.random.Generator], Floats]


def _moved(share: float) -> Change:
    def change(whole: Floats, _: float, __: np.random.Generator) -> Floats:
        length = int(whole.shape[-1] * _CUT)
        start = int(length * share)
        return whole[..., start : start + length]

    return change


def _rescaled(by_lead: bool) -> Change:
    def change(x: Floats, _: float, rng: np.random.Generator) -> Floats:
        shape = (len(x), x.shape[1] if by_lead else 1, 1)
        low, high = np.log(_SCALES)
        return np.asarray(x * np.exp(rng.uniform(low, high, shape)), dtype=np.float32)

    return change


def _resampled(x: Floats, rate_hz: float, _: np.random.Generator) -> Floats:
    ratio = Fraction(_RESAMPLED_HZ) / Fraction(rate_hz).limit_denominator(1000)
    there = resample_poly(x, ratio.numerator, ratio.denominator, axis=-1)
    back = resample_poly(there, ratio.denominator, ratio.numerator, axis=-1)
    return np.asarray(back[..., : x.shape[-1]], dtype=np.float32)


def _noisy(decibel: float) -> Change:
    """White noise on every lead, so many decibel below the lead's own variance."""

    def change(x: Floats, _: float, rng: np.random.Generator) -> Floats:
        level = x.std(axis=-1, keepdims=True) * 10 ** (-decibel / 20)
        return np.asarray(x + level * rng.standard_normal(x.shape, dtype=np.float32), dtype=np.float32)

    return change


def _filled(start: float, end: float) -> Change:
    """One value from one share of a record to another: 0, as what a source left out is filled up with."""

    def change(x: Floats, _: float, __: np.random.Generator) -> Floats:
        out = x.copy()
        out[..., int(x.shape[-1] * start) : int(x.shape[-1] * end)] = 0
        return out

    return change


def _exchanged(x: Floats, _: float, rng: np.random.Generator) -> Floats:
    """Two leads, each under the other's name."""
    out = x.copy()
    for record in out:
        pair = rng.permutation(x.shape[1])[:2]
        record[pair] = record[pair[::-1]]
    return out


CHANGES: dict[str, tuple[Change, ...]] = {
    "renamed": (_moved(0),),
    "moved by 25 %": (_moved(0.25),),
    "moved by 50 %": (_moved(0.5),),
    "rescaled": (_moved(0), _rescaled(False)),
    "each lead rescaled": (_moved(0), _rescaled(True)),
    f"resampled at {_RESAMPLED_HZ} Hz": (_moved(0), _resampled),
    "noise at 20 dB": (_moved(0), _noisy(20)),
    "noise at 10 dB": (_moved(0), _noisy(10)),
    "noise at 6 dB": (_moved(0), _noisy(6)),
    "last 30 % at 0": (_moved(0), _filled(0.7, 1)),
    "15 % in its middle at 0": (_moved(0), _filled(0.4, 0.55)),
    "moved by 25 %, last 20 % at 0, 10 dB": (_moved(0.25), _noisy(10), _filled(0.8, 1)),
    "two leads exchanged": (_moved(0), _exchanged),
    "moved by 25 %, leads rescaled, resampled, 20 dB": (_moved(0.25), _rescaled(True), _resampled, _noisy(20)),
    "moved by 25 %, leads rescaled, resampled, 6 dB": (_moved(0.25), _rescaled(True), _resampled, _noisy(6)),
    "moved by 50 %, leads rescaled, resampled, 10 dB": (_moved(0.5), _rescaled(True), _resampled, _noisy(10)),
    "moved by 50 %, leads rescaled, resampled, 6 dB": (_moved(0.5), _rescaled(True), _resampled, _noisy(6)),
}


def _apply(names: list[str], change: int, whole: Floats, rate_hz: float, rng: np.random.Generator) -> Floats:
    for step in CHANGES[names[change]]:
        whole = step(whole, rate_hz, rng)
    return whole


def plant(store: Signals, names: list[str], change: NDArray[np.intp], source: NDArray[np.intp], seed: int) -> Signals:
    """The store's records cut short, followed by a copy of `source[k]` after `change[k]`; the same each time."""

    def read(at: NDArray[np.intp]) -> Floats:
        copied = at >= store.count
        rows = at.copy()
        rows[copied] = source[at[copied] - store.count]
        whole = store.read(rows)
        out = _moved(0)(whole, store.rate_hz, np.random.default_rng()).copy()
        for k in np.flatnonzero(copied):
            copy = int(at[k]) - store.count
            rng = np.random.default_rng([seed, copy])
            out[k] = _apply(names, int(change[copy]), whole[k : k + 1], store.rate_hz, rng)[0]
        return out

    return replace(store, count=store.count + len(source), seconds=store.seconds * _CUT, read=read)


def _rounds(count: int, copies: int, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Which record is copied with which change: no record twice in a round, so that copies do not crowd one another out."""
    at_once = max(1, count // copies)
    for first in range(0, len(CHANGES), at_once):
        changes = np.arange(first, min(first + at_once, len(CHANGES)))
        order = np.random.default_rng([seed, first]).permutation(count)[: len(changes) * copies]
        yield np.repeat(changes, copies)[: len(order)], order


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score.

    >>> [round(x, 3) for x in wilson(0, 100)]
    [0.0, 0.037]
    """
    if not of:
        return float("nan"), float("nan")
    z = 1.959964
    share = found / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _row(what: str, found: int, of: int) -> dict[str, object]:
    low, high = wilson(found, of)
    return {
        "what": what,
        "share": found / of if of else float("nan"),
        "low": low,
        "high": high,
        "found": found,
        "of": of,
    }


def measure(path: Path, copies: int, seed: int, threads: int) -> pd.DataFrame:
    """Plant `copies` of every change in a store's records and search; COLUMNS, a row a change, then false alarms by kind of pair.

    A false alarm is a pair of records as they are that the search calls a copy; pairs with the same samples are left out.
    """
    records, store = of_store(path)
    if store.count <= 1:
        raise InputError(f"{path}: holds {store.count} records; two or more are needed")
    names = list(CHANGES)
    rows = []
    for change, source in _rounds(store.count, min(copies, store.count), seed):
        found = search(plant(store, names, change, source, seed), path.parent, threads)
        alarms = found[found["copy"] & (found["b"] >= store.count)]
        hit = np.zeros(len(source), dtype=bool)
        copy = alarms["b"].to_numpy() - store.count
        hit[copy[alarms["a"].to_numpy() == source[copy]]] = True
        rows += [_row(names[k], int(hit[change == k].sum()), int((change == k).sum())) for k in np.unique(change)]
    return pd.DataFrame([*rows, *_false_alarms(path, records, store, threads)], columns=COLUMNS)


def _false_alarms(path: Path, records: pd.DataFrame, store: Signals, threads: int) -> Iterator[dict[str, object]]:
    found = search(store, path.parent, threads)
    digest = read_records(path)["digest"].to_numpy()
    patient = records["patient_id"].to_numpy()
    a, b = found["a"].to_numpy(), found["b"].to_numpy()
    false = found["copy"].to_numpy(dtype=bool) & (digest[a] != digest[b])
    same = patient[a] == patient[b]
    of_patient = records["patient_id"].value_counts().to_numpy()
    pairs_of_one = int((of_patient * (of_patient - 1) // 2).sum())
    yield _row(
        "false alarms, two patients", int((false & ~same).sum()), store.count * (store.count - 1) // 2 - pairs_of_one
    )
    yield _row("false alarms, one patient", int((false & same).sum()), pairs_of_one)
