"""What a leak is worth: the score of one probe trained with the leaking records less its score without them.

Both are tested on the same records and trained on as many. The probe is a vote of the nearest training records by their
description (split/fingerprint.py), fitted in seconds: a lower bound for what a design that memorises could gain, not a design.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO
from vitalbench.data.store import Store, read_records
from vitalbench.errors import InputError, choices
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.score import ALL, score
from vitalbench.files import read_json
from vitalbench.split.audit import FATAL, split_columns
from vitalbench.split.fingerprint import Floats, Projection, describe, prepare

COLUMNS = [
    "dataset", "task", "fold", "check", "metric", "leaky", "clean", "gap", "ci_low", "ci_high", "n_records", "n_patients",
    "n_train", "n_leaking", "probe", "data_source",
]  # fmt: skip
METRIC = "auroc"
PROBE = "nearest records"
_NEIGHBOURS = 15
_SHARPNESS = 20.0  # how much more a near record's vote counts: e times for every 0.05 of cosine
_REPEATS = 5  # draws of the training records
_SHARE = 0.8  # of the records free of the leak that a draw takes, so that draws differ
_RESAMPLES = 1000
_READ = 256


def _features(store: Path, rows: NDArray[np.intp]) -> Floats:
    source = Store(store)
    blocks = (rows[start : start + _READ] for start in range(0, len(rows), _READ))
    return np.concatenate([describe(prepare(source.read(block), source.rate_hz)) for block in blocks])


def probe(
    described: Floats, labels: NDArray[np.float64], train: NDArray[np.intp], test: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Probabilities (test, classes): the labels of the nearest training records, weighted by how near they are."""
    alike = described[test] @ described[train].T
    count = min(_NEIGHBOURS, len(train))
    nearest = np.argpartition(alike, alike.shape[1] - count, axis=1)[:, alike.shape[1] - count :]
    weight = np.exp(_SHARPNESS * (np.take_along_axis(alike, nearest, axis=1).astype(np.float64) - 1))
    votes = np.einsum("tk,tkc->tc", weight, labels[train][nearest])
    prior = labels[train].mean(axis=0)
    few = np.exp(-_SHARPNESS)  # where no record is near, the prevalence decides
    return np.asarray((votes + few * prior) / (weight.sum(axis=1, keepdims=True) + few)).clip(0, 1)


def _leaking(table: pd.DataFrame, split: str, pairs: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Which training rows each check that gates found crossing to the test split, and all of them together."""
    train = (table[split] == "train").to_numpy()
    fold = split.partition(":")[2] or "0"
    found: dict[str, NDArray[np.bool_]] = {}
    here = pairs[(pairs["split"] == "train-test") & (pairs["fold"] == fold) & (pairs["severity"] == FATAL)]
    for check, rows in here.groupby("check"):
        column = "patient_id" if check == "patient-overlap" else "record_id"
        found[str(check)] = train & table[column].isin(set(rows["a"])).to_numpy()
    if len(found) != 1:
        found["all" if found else "none"] = np.logical_or.reduce([np.zeros_like(train), *found.values()])
    return found


def _replicates(
    described: Floats, labels: NDArray[np.float64], truth: Predictions, train: NDArray[np.intp], test: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(1 + resamples,): the macro score of the test records, then of resamples of their patients."""
    p = probe(described, labels, train, test)
    scored = Predictions(
        truth.classes, truth.record_id, truth.patient_id, truth.split, truth.y, p, truth.groups, truth.weight
    )
    scores = score(scored, "multilabel", _RESAMPLES, 0)
    value = next(row["value"] for row in scores.rows if (row["metric"], row["label"]) == (METRIC, MACRO))
    return np.concatenate([[value], scores.replicates["test", ALL, METRIC, MACRO]])


def _one_draw(replicates: list[NDArray[np.float64]], stream: int) -> NDArray[np.float64]:
    """(resamples,): each from one of the draws of training records, so that their variance is in the interval too."""
    stack = np.array(replicates)[:, 1:]
    chosen = np.random.default_rng([stream]).integers(0, len(stack), stack.shape[1])
    return np.asarray(stack[chosen, np.arange(stack.shape[1])])


def _fold_rows(
    table: pd.DataFrame,
    split: str,
    pairs: pd.DataFrame,
    features: Floats,
    labels: NDArray[np.float64],
    classes: list[str],
) -> Iterator[dict[str, Any]]:
    test = np.flatnonzero(table[split] == "test")
    leaking = _leaking(table, split, pairs)
    free = np.flatnonzero((table[split] == "train").to_numpy() & ~np.logical_or.reduce(list(leaking.values())))
    size = int(_SHARE * len(free))
    if not len(test) or size < 2:
        raise InputError(
            f"column '{split}': {len(test)} test records and {len(free)} training records free of the leak are too few"
        )
    described = Projection.fit(features[free])(
        features
    )  # the description's directions come from training records alone
    ids = {name: table[name].to_numpy(dtype=object)[test] for name in ("record_id", "patient_id")}
    truth = Predictions(
        classes, ids["record_id"], ids["patient_id"], np.full(len(test), "test", dtype=object), labels[test],
        np.zeros((len(test), len(classes))), pd.DataFrame(index=range(len(test))), None,
    )  # fmt: skip
    for check, crossing in leaking.items():
        leaks = np.flatnonzero(crossing)
        with_leak, without = [], []
        for repeat in range(_REPEATS):
            rng = np.random.default_rng([repeat, 1])
            kept = rng.permutation(leaks)[:size]
            filled = np.concatenate([kept, rng.permutation(free)[: size - len(kept)]])
            clean = np.random.default_rng([repeat, 2]).permutation(free)[:size]
            with_leak.append(_replicates(described, labels, truth, filled, test))
            without.append(_replicates(described, labels, truth, clean, test))
        leaky, honest = np.mean(with_leak, axis=0), np.mean(without, axis=0)
        low, high = interval(_one_draw(with_leak, 3) - _one_draw(without, 4))
        yield {
            "fold": split.partition(":")[2] or "0",
            "check": check,
            "metric": METRIC,
            "leaky": leaky[0],
            "clean": honest[0],
            "gap": leaky[0] - honest[0],
            "ci_low": low,
            "ci_high": high,
            "n_records": len(test),
            "n_patients": len(set(ids["patient_id"])),
            "n_train": size,
            "n_leaking": min(len(leaks), size),
            "probe": PROBE,
        }


def price(table: pd.DataFrame, pairs: pd.DataFrame, store: Path, labels: str) -> pd.DataFrame:
    """The score gap of every kind of leak between train and test, COLUMNS, with its 95 % interval over patients.

    Args:
        table: the split, record_id, patient_id and split columns.
        pairs: what the audit found crossing.
        store: store.h5 with the records.
        labels: a label set of the store.

    Raises:
        InputError: the store has no such label set, or the split leaves too few records to train without the leak.
    """
    records = read_records(store).set_index("record_id")
    column = f"labels:{labels}"
    if column not in records.columns:
        known = [name.removeprefix("labels:") for name in records.columns if name.startswith("labels:")]
        raise InputError(f"{store}: has no label set '{labels}'; {choices(labels, known)}")
    here = records.loc[table["record_id"]]
    classes = sorted(set().union(*here[column]))
    y = np.array([[name in carried for name in classes] for carried in here[column]], dtype=np.float64)
    features = _features(store, here["row"].to_numpy(dtype=np.intp))
    manifest = read_json(store.with_name("manifest.json"))
    said = {
        "dataset": str(table["record_id"].iloc[0]).partition("/")[0],
        "task": labels,
        "data_source": manifest["release"]["source"],
    }
    rows = [
        said | row for split in split_columns(table) for row in _fold_rows(table, split, pairs, features, y, classes)
    ]
    return pd.DataFrame(rows)[COLUMNS]
