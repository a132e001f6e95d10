"""Two designs timed in turn in one job: the ratio of their phases, with a verdict against the noise floor."""

import math
from typing import Any

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.schema import Protocol, TaskData
from vitalbench.config.target import Target
from vitalbench.errors import ConfigError, choices

PHASES = ("features", "train_step", "inference")
_ATTEMPTS = 2  # at undisturbed rounds: their verdict stands under load too, only later
_SEED = 0


def against(
    designs: tuple[Design, Design],
    dataset: DatasetBuild,
    task: TaskData,
    target: Target,
    protocol: Protocol,
    phases: list[str],
) -> list[dict[str, Any]]:
    """Time the phases of two designs in turn, each in its own precision, and the first against itself in the same rounds.

    Args:
        phases: of PHASES; `inference` of a batch of the first design's training.

    Returns:
        A row each: ratio of the second's time to the first's, its interval, the floor, the verdict on the second, and what would
        decide where there is none.

    Raises:
        ConfigError: an unknown phase, several processes, fp16 against another precision, or a phase that one design has not.
    """
    for phase in phases:
        if phase not in PHASES:
            raise ConfigError(f"phase {phase!r}: {choices(phase, PHASES)}")
    if target.launched:
        raise ConfigError("--against: designs are held against one another in one process; the target declares several")
    precisions = [design.train.precision for design in designs if design.train]
    # accelerate tells by a state of the whole process whether gradients are scaled, as those of fp16 are.
    if len(set(precisions)) > 1 and "fp16" in precisions:
        raise ConfigError(
            f"--against: in one process fp16 goes with fp16 alone; the designs are in {' and '.join(precisions)}"
        )
    from vitalbench.measure.conditions import Watched
    from vitalbench.measure.interleaved import interleaved
    from vitalbench.measure.noise import pairs_for
    from vitalbench.measure.prepared import prepare
    from vitalbench.train.engine import prepare_torch, synchroniser

    rows = []
    synchronise = synchroniser(target)
    # An accelerator each, and each design is prepared before the next is made: what a precision wraps a model in is settled then.
    ready = [
        prepare(design, dataset, task, target, prepare_torch(target, _SEED, precision), synchronise)
        for design, precision in zip(designs, precisions, strict=True)
    ]
    for phase in phases:
        records = ready[0].batch
        if phase == "inference":
            calls = [one.inference(records) for one in ready]
        else:
            calls = [one.features() if phase == "features" else one.train_step() for one in ready]
        first, second = calls
        if first is None or second is None:
            raise ConfigError(f"phase {phase!r}: one of the two designs has none")
        for attempt in range(_ATTEMPTS):
            watched = Watched(target)
            found = interleaved(first, second, protocol, seed=_SEED + attempt, synchronise=synchronise)
            seen = watched.conditions()
            if not (seen.disturbed or seen.throttled):
                break
        needed = pairs_for(found.found, found.found.ratio) if found.verdict == "no-verdict" else None
        rows.append(
            {
                "phase": phase,
                "batch_a": records,
                "batch_b": records if phase == "inference" else ready[1].batch,
                "ratio": found.found.ratio,
                "ci_low": found.found.low or None,
                "ci_high": _finite(found.found.high),
                "floor": found.floor,
                "detectable": _finite(found.found.reach),
                "rounds": found.found.pairs,
                "rounds_needed": needed,
                "foreign_load": seen.foreign_load,
                "verdict": found.verdict,
                "disturbed": seen.disturbed,
                "clock_mhz": seen.clock_mhz,
                "throttled": seen.throttled,
                "foreign_gpu_load": seen.foreign_gpu_load,
            }
        )
    return rows


def _finite(value: float) -> float | None:
    """None where the rounds were too few for any interval, whose ends are then 0 and infinity."""
    return value if math.isfinite(value) else None


def sentence(row: dict[str, Any], a: str, b: str) -> str:
    """A row for people."""
    interval = f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]" if row["ci_low"] and row["ci_high"] else "[no interval]"
    text = (
        f"{row['phase']}: {b} takes {row['ratio']:.3f} of the time of {a} "
        f"{interval}, floor {row['floor']:.1%}, {row['rounds']} rounds: {row['verdict']}"
    )
    if row["verdict"] == "no-verdict":
        more = f"; about {row['rounds_needed']} rounds would tell this ratio" if row["rounds_needed"] else ""
        if row["detectable"] is None:
            more = "; too few rounds to tell any difference, ask for more --repeats"
        else:
            more = f"; detectable here {row['detectable']:.1%}{more}"
        text += more
    beside = [word for word in ("disturbed", "throttled") if row[word]]
    return f"{text} ({' and '.join(beside)} meanwhile)" if beside else text
