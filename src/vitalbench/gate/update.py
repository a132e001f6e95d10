"""A baseline of what was found: written anew, or widened by further seeds and measuring jobs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vitalbench.errors import InputError
from vitalbench.gate.baseline import VERSION, Accuracy, Baseline, Change, Speed, key_of
from vitalbench.gate.found import Found

MOST_JOBS = 20  # measuring jobs a baseline remembers; the oldest go


@dataclass(frozen=True)
class Updated:
    """A baseline to write, and what became of rows that these results do not speak for.

    Attributes:
        disturbed: phases that foreign work disturbed, of which the old rows stay.
        left_out: phases that it disturbed, of which there is no old row.
        gone: old rows that are not in these results.
        gone_stay: they are still in it.
        narrower: rows of which fewer seeds or measuring jobs are in it than were.
    """

    baseline: Baseline
    disturbed: list[str]
    left_out: list[str]
    gone: list[str]
    gone_stay: bool
    narrower: list[str]


def updated(
    old: Baseline | None, now: Found, suite: str, reason: str, date: str, add: bool, prune: bool = False
) -> Updated:
    """A baseline of what was found now.

    Args:
        add: keep the old seeds and measuring jobs beside the new ones, which makes the distributions wider and surer; else the
            new ones take their place.
        prune: of what `add` keeps, not what these results no longer have.

    Raises:
        InputError: the old one is of another suite or device, nothing was found to hold anything against, it would be what the old
            one is, or `add` was asked for and the records of a data set are others than the old ones'.
    """
    refuse(old, now, suite, add)
    disturbed = {key for key in now.keys if key in now.disturbed}
    accuracy = {key_of(row): row for row in now.accuracy}
    speed = {key_of(row): row for row in now.speed if key_of(row) not in disturbed}
    here = {*accuracy, *now.keys}
    before = {*map(key_of, old.accuracy), *map(key_of, old.speed)} if old else set()
    for row in old.accuracy if old and add else []:
        accuracy[key_of(row)] = _with_seeds(row, accuracy.get(key_of(row)), suite)
    for job in old.speed if old else []:
        if add or key_of(job) in disturbed:
            speed[key_of(job)] = _with_jobs(job, speed.get(key_of(job)))
    gone = before - here
    if prune or not add:
        accuracy = {key: row for key, row in accuracy.items() if key in here}
        speed = {key: row for key, row in speed.items() if key in here}
    if not accuracy and not speed:
        raise InputError(f"baseline of {suite}: no metric and no undisturbed phase was found; nothing to write")
    datasets = _datasets(accuracy.values(), speed.values())
    data = {
        name: was
        for name, was in ((old.data if old else {}) | now.data).items()
        if name in datasets or name in now.data
    }
    made = Baseline(
        version=VERSION,
        suite=suite,
        device=now.device,
        data=data,
        accuracy=[accuracy[key] for key in sorted(accuracy)],
        speed=[speed[key] for key in sorted(speed)],
        changes=[*(old.changes if old else []), Change(date=date, reason=reason)],
    )
    if old is not None and made.model_copy(update={"changes": old.changes}) == old:
        what = f"; foreign work disturbed {len(disturbed)} phases" if disturbed else ""
        raise InputError(
            f"baseline of {suite}: nothing in these results that it does not have{what}; nothing is written"
        )
    return Updated(
        made, _said(disturbed & before), _said(disturbed - before), _said(gone), add and not prune, _narrower(old, made)
    )


def refuse(old: Baseline | None, now: Found, suite: str, add: bool, path: Path | None = None) -> None:
    """Refuse an old baseline that is no ground for the new one, and results that are a part.

    Args:
        path: where the old one was looked for.
    """
    if old is not None and (old.suite, old.device) != (suite, now.device):
        raise InputError(
            f"baseline of {suite} on '{now.device}': what is there is of {old.suite} on '{old.device}'; name another --baseline"
        )
    if add and old is None:
        where = f" of '{now.device}'" + (f" ({path})" if path else "")
        raise InputError(f"baseline of {suite}{where}: there is none to add to; leave out --add")
    other = _other_records(old, now) if add and old else []
    if other:
        raise InputError(
            f"baseline of {suite}: its records of {other[0]} are others than those of these results; leave out --add"
        )
    found = {key_of(row): row for row in now.accuracy}
    for row in old.accuracy if old and add else []:
        _with_seeds(row, found.get(key_of(row)), suite)  # refuses one of another value
    part = next((key for key in map(key_of, now.accuracy) if key in now.gaps), None)
    if part:
        runs = ", ".join(now.gaps[part])
        raise InputError(f"baseline of {suite}: {'/'.join(part)} has no value in {runs}; nothing is written of a part")


def _counted(of: Baseline) -> dict[tuple[str, ...], int]:
    """How many seeds or measuring jobs each row is of."""
    return {key_of(row): len(row.values) for row in of.accuracy} | {key_of(row): len(row.values) for row in of.speed}


def _narrower(old: Baseline | None, made: Baseline) -> list[str]:
    """Rows that lost seeds or measuring jobs, and of how many they were and are."""
    before, now = _counted(old) if old else {}, _counted(made)
    return [f"{_said([key])[0]} {before[key]} to {now[key]}" for key in sorted(now) if now[key] < before.get(key, 0)]


def _datasets(accuracy: Iterable[Accuracy], speed: Iterable[Speed]) -> set[str]:
    """What rows are about."""
    return {row.dataset for row in accuracy} | {row.dataset for row in speed}


def _other_records(old: Baseline, now: Found) -> list[str]:
    """Data sets that both are about and whose records differ, or are known to one of them alone."""
    there, here = (_datasets(of.accuracy, of.speed) | set(of.data) for of in (old, now))
    return sorted(name for name in there & here if old.data.get(name) != now.data.get(name))


def _with_seeds(row: Accuracy, more: Accuracy | None, suite: str) -> Accuracy:
    """An old row with new seeds beside its own."""
    added = more.values if more else {}
    other = [seed for seed, value in row.values.items() if added.get(seed, value) != value]
    if other:
        raise InputError(
            f"baseline of {suite}: {'/'.join(key_of(row))}: seed {other[0]} is in it with another value; leave out --add"
        )
    return row.model_copy(update={"values": row.values | added})


def _with_jobs(row: Speed, more: Speed | None) -> Speed:
    """An old row with new jobs beside its own; the same job, added a second time, tells nothing new."""
    added = [job for job in (more.jobs if more else []) if job.ratio not in row.values]
    return row.of([*row.jobs, *added][-MOST_JOBS:])


def _said(keys: Iterable[tuple[str, ...]]) -> list[str]:
    return ["/".join(part for part in key if part) for key in sorted(keys)]
