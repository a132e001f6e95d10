"""A baseline of what was found: written anew, or widened by further seeds and measuring jobs."""

from vitalbench.errors import InputError
from vitalbench.gate.baseline import Baseline, Change, key_of
from vitalbench.gate.found import Found

MOST_JOBS = 20  # measuring jobs a baseline remembers; the oldest go


def updated(old: Baseline | None, now: Found, suite: str, reason: str, date: str, add: bool) -> Baseline:
    """A baseline of what was found now.

    Args:
        add: keep the old seeds and measuring jobs beside the new ones, which makes the distributions wider and surer; else the
            new ones take their place.

    Raises:
        InputError: the old one is of another suite or device, nothing was found to hold anything against, or `add` was asked for
            and the records are others than the old ones'.
    """
    if old is not None and (old.suite, old.device) != (suite, now.device):
        raise InputError(
            f"baseline of {suite} on '{now.device}': what is there is of {old.suite} on '{old.device}'; name another --baseline"
        )
    if add and old is None:
        raise InputError(f"baseline of {suite}: there is none to add to; leave out --add")
    if add and old is not None and old.data != now.data:
        raise InputError(f"baseline of {suite}: its records are others than those of these results; leave out --add")
    accuracy = {key_of(row): row for row in now.accuracy}
    part = next((key for key in accuracy if key in now.gaps), None)
    if part:
        runs = ", ".join(now.gaps[part])
        raise InputError(f"baseline of {suite}: {'/'.join(part)} has no value in {runs}; nothing is written of a part")
    speed = {key_of(row): row for row in now.speed if key_of(row) not in now.disturbed}
    if add and old is not None:
        for row in old.accuracy:
            kept = accuracy.get(key_of(row))
            other = [seed for seed, value in row.values.items() if kept and kept.values.get(seed, value) != value]
            if other:
                raise InputError(
                    f"baseline of {suite}: {'/'.join(key_of(row))}: seed {other[0]} is in it with another value; leave out --add"
                )
            accuracy[key_of(row)] = row.model_copy(update={"values": row.values | (kept.values if kept else {})})
        for before in old.speed:
            new = speed.get(key_of(before))
            # The same job, added a second time, tells nothing new.
            more = [value for value in (new.values if new else []) if value not in before.values]
            values = [*before.values, *more][-MOST_JOBS:]
            speed[key_of(before)] = before.model_copy(update={"values": values})
    if not accuracy and not speed:
        raise InputError(f"baseline of {suite}: no metric and no undisturbed phase was found; nothing to write")
    return Baseline(
        suite=suite,
        device=now.device,
        data=now.data,
        accuracy=[accuracy[key] for key in sorted(accuracy)],
        speed=[speed[key] for key in sorted(speed)],
        changes=[*(old.changes if old else []), Change(date=date, reason=reason)],
    )
