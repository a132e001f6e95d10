"""Several predictions of the same records taken together: seeds of a design, designs, or passes of one network with its dropout on.

The entropy of the mean is uncertainty in all; the mean of the members' entropies is what each is unsure of by itself (aleatoric),
the rest is what they disagree on (epistemic): mutual information, as in Depeweg et al. 2018 (arXiv 1710.07283).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from vitalbench.config.schema import MACRO
from vitalbench.errors import InputError
from vitalbench.evaluate.operating import SPLIT, both
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled
from vitalbench.evaluate.subset import FEW_PATIENTS
from vitalbench.evaluate.value import told_columns

Array = NDArray[np.float64]
_SIDES = (("positive", "negative"), ("wrong", "right"))  # of a class, and of decisions


def aligned(members: dict[Path, Predictions]) -> list[Predictions]:
    """The members' predictions in the first one's order of records.

    Raises:
        InputError: they are not of the same records and classes, or say otherwise of them: patient, split, truth, weight or group.
    """
    (first_path, first), *others = members.items()
    order = {record: at for at, record in enumerate(first.record_id)}
    found = [first]
    for path, other in others:
        if other.classes != first.classes:
            raise InputError(f"{path}: other classes than {first_path}: they are no predictions of the same task")
        if set(other.record_id) != set(order):
            raise InputError(f"{path}: other records than {first_path}: they are no predictions of the same records")
        rows = np.argsort([order[record] for record in other.record_id])
        mine = replace(
            other, record_id=other.record_id[rows], patient_id=other.patient_id[rows], split=other.split[rows], y=other.y[rows],
            p=other.p[rows], groups=other.groups.iloc[rows].reset_index(drop=True),
            weight=None if other.weight is None else other.weight[rows],
        )  # fmt: skip
        _check_alike(mine, first, path, first_path)
        found.append(mine)
    return found


def _check_alike(mine: Predictions, first: Predictions, path: Path, first_path: Path) -> None:
    """Raise an InputError where two files say otherwise of a record; a group that only one of them tells is no contradiction."""
    told = {
        "patient": (mine.patient_id, first.patient_id),
        "split": (mine.split, first.split),
        "weight": (mine.weights, first.weights),
        **{
            f"group '{name}'": tuple(of.groups[name].to_numpy(dtype=object) for of in (mine, first))
            for name in mine.groups.columns.intersection(first.groups.columns)
        },
    }
    other = {what: mine_of != first_of for what, (mine_of, first_of) in told.items()}
    other["truth"] = ~((mine.y == first.y) | (np.isnan(mine.y) & np.isnan(first.y))).all(axis=1)
    for what, rows in other.items():
        if rows.any():
            raise InputError(f"{path}: another {what} of record {mine.record_id[rows.argmax()]} than {first_path}")


def together(members: list[Predictions]) -> Predictions:
    """The members' mean probabilities."""
    return replace(members[0], p=np.mean([member.p for member in members], axis=0))


def entropy(p: Array) -> Array:
    """Of a decision of probability p, in nats.

    >>> entropy(np.array([0.0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.6931, 0.0]
    """
    found: Array = entr(p) + entr(1 - p)
    return found


def disagreement(members: list[Predictions]) -> Array:
    """(records, classes): the mutual information of decision and member, in nats; 0 where all members say the same."""
    mean = np.mean([member.p for member in members], axis=0)
    found: Array = np.maximum(entropy(mean) - np.mean([entropy(member.p) for member in members], axis=0), 0.0)
    return found


def ensemble_rows(members: list[Predictions], resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row a class of the test records, then their mean: AUROC of the mean probability and of the members, and their difference.

    Beside it how well uncertainty tells the decisions (at a probability of 0.5) that are wrong from those that are right, as an
    AUROC: of the entropy of the mean, and of the members' disagreement. A resample that loses a truth of a class is drawn again for
    that class, so that the mean is of the same classes in all.
    """
    tested = [member.take(member.split == SPLIT) for member in members]
    whole = together(tested)
    over, spread, kept = Resampled(whole, resamples, seed, SPLIT), disagreement(tested), []
    for k, name in enumerate(whole.classes):
        y, p = whole.y[:, k], whole.p[:, k]
        if not both(y).any():
            continue
        own = over.redrawn(y, name)
        mean, alone = own.auroc(y, p), np.mean([own.auroc(y, member.p[:, k]) for member in tested], axis=0)
        wrong = np.where(np.isnan(y), np.nan, (p >= 0.5) != (y > 0))
        errors = over.redrawn(wrong, name, "errors") if both(wrong).any() else None
        told = [errors.auroc(wrong, of) if errors else np.full(len(mean), np.nan) for of in (entropy(p), spread[:, k])]
        few = over.support(y).thin, over.support(wrong).thin.replace("positive", "wrong").replace("negative", "right")
        kept.append(((mean, alone, *told), few))
        yield _row(over, name, len(tested), kept[-1][0], few)
    if kept:
        mean_of = [_mean([series[at] for series, _ in kept]) for at in range(4)]
        none = [f"no class has {FEW_PATIENTS} {a} and {FEW_PATIENTS} {b} patients" for a, b in _SIDES]
        thin = [why if all(few[at] for _, few in kept) else "" for at, why in enumerate(none)]
        yield _row(over, MACRO, len(tested), mean_of, (thin[0], thin[1]))


def _mean(series: list[Array]) -> Array:
    """Over the classes that have a value, the same in every resample; NaN where none has."""
    stack = np.stack(series)
    known = ~np.isnan(stack[:, 0])
    mean: Array = stack[known].mean(axis=0) if known.any() else stack[0]
    return mean


def _row(over: Resampled, label: str, members: int, series: Sequence[Array], thin: tuple[str, str]) -> dict[str, Any]:
    mean, alone, entropic, spread = series
    values = {
        "auroc": over.told(mean, thin[0]),
        "gain": over.told(mean - alone, thin[0]),
        "errors_by_entropy": over.told(entropic, thin[1]),
        "errors_by_disagreement": over.told(spread, thin[1]),
    }
    return {
        "label": label,
        "members": members,
        "members_auroc": None if np.isnan(alone[0]) else float(alone[0]),
        **told_columns(values),
    }
