"""Time a design on batches of a data set's shape: build, loading, training step, inference. Nothing is trained for a result."""

import math
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, get_args

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import PRETRAINING, Design
from vitalbench.config.schema import Once, Protocol, TaskData
from vitalbench.config.target import Target
from vitalbench.errors import ConfigError, choices
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.phases import COMPILE, PHASES, READS, Phase
from vitalbench.measure.repeats import Call
from vitalbench.measure.switches import switch_ratios

if TYPE_CHECKING:  # torch takes seconds to load, and that is a phase of its own
    from vitalbench.measure.bench import Bench
    from vitalbench.measure.prepared import Prepared

ONCE: tuple[str, ...] = get_args(Once)  # a run goes through these once, here they are repeated
NAMES = (*PHASES, COMPILE, *ONCE)
_OF_SEVERAL = ("import", "build", "features", "train_step", COMPILE)  # phases that processes time together
_SEED = 0
_LITTLE = 0.1  # of a step: what loading may add where the model is called the bottleneck


def measure(
    design: Design,
    dataset: DatasetBuild,
    task: TaskData,
    target: Target,
    protocol: Protocol,
    phases: list[str] | None,
    exclusive: bool,
    store: Path | None = None,
) -> list[Phase]:
    """Time some phases of a design.

    Args:
        phases: of PHASES, COMPILE and ONCE, each of which has to be there; None takes those of PHASES and of the protocol's `once`
            that are.
        exclusive: whether the caller saw to it that nothing else runs on the machine.
        store: whose records are loaded; without one there is no `load_batch` and no `loaded_step`.

    Returns:
        A Phase each; a design without a model has none to time. Of several processes, each times its part of the same steps;
        loading and inference are one process's work, and are not timed there.
        With `train_step` of a target that compiles comes `compile`.

    Raises:
        ConfigError: an unknown phase, or one that this design or call does not have.
    """
    if design.model is None or design.train is None:
        return []
    if phases is None:
        phases = phases_of(design, target, protocol, store)
    else:
        _refuse(phases, design, target, store)
    load, watch = ForeignLoad(), Stopwatch()
    from vitalbench.measure.bench import Bench, model_mb
    from vitalbench.measure.prepared import prepare
    from vitalbench.measure.whole_run import once_in_a_run
    from vitalbench.train.engine import prepare_torch, synchroniser

    imports, beside = watch.lap(), load.share()
    accelerator = prepare_torch(target, _SEED, design.train.precision)
    synchronise = synchroniser(target)
    bench = Bench(accelerator, target, protocol, design.train.precision, synchronise, exclusive)
    if "import" in phases:
        bench.once("import", imports, beside)
    ready = prepare(design, dataset, task, target, accelerator, synchronise)
    if "build" in phases:
        bench.once("build", ready.build_seconds, ready.build_foreign, model_mb=model_mb(ready.model))
    if "features" in phases and (call := ready.features()):
        bench.timed("features", call, ready.batch, "record", precision=ready.encoding)
    if COMPILE in phases or ("train_step" in phases and target.compile):
        _compilation(bench, ready)
    if "train_step" in phases:
        _training_step(bench, ready)
    loads = store is not None and not target.launched and ready.stepped.shape == ready.shape
    if store is not None and loads and "load_batch" in phases:
        bench.timed("load_batch", ready.load_batch(store), ready.batch, "crop", counted=False)
    if store is not None and loads and "loaded_step" in phases:
        loaded = _filed(bench, "loaded_step", ready.loaded_step(store), ready, counted=False, looks=False)
        loaded.extra["bottleneck"] = bottleneck(loaded, bench.phases)
    if "inference" in phases and not target.launched:
        for records, call in _inferences(protocol, ready, target):
            size = model_mb(ready.model)
            bench.timed("inference", call, records, "record", precision=ready.encoding, model_mb=size)
    for name in ONCE:
        if name in phases and not target.launched:
            call, items, unit = once_in_a_run(name, ready, store)
            bench.timed(name, call, items, unit, counted=False, looks=False)
    return bench.phases


def phases_of(design: Design, target: Target, protocol: Protocol, store: Path | None) -> list[str]:
    """Those of PHASES, which are passed over where they are not there, and those that the protocol repeats and a design has."""
    return [*PHASES, *(name for name in protocol.once if not _not_there(name, design, target, store))]


def _refuse(phases: list[str], design: Design, target: Target, store: Path | None) -> None:
    """Refuse a phase that is asked for and not there."""
    for phase in phases:
        if phase not in NAMES:
            raise ConfigError(f"phase {phase!r}: {choices(phase, NAMES)}")
        if why := _not_there(phase, design, target, store):
            raise ConfigError(f"phase {phase!r}: {why}")


def _inferences(protocol: Protocol, ready: "Prepared", target: Target) -> list[tuple[int, Call]]:
    """Forward passes by their records, each size once. `max` is what a GPU's memory holds; a CPU's holds what takes minutes."""
    from vitalbench.measure.largest import largest_batch

    def call(records: int) -> Call:
        made = ready.inference(records)
        assert made is not None, "what is scored has a forward pass"
        return made

    if ready.scoring is None:
        return []
    asked = [records for records in protocol.inference_batches if records != "max"]
    asked += [ready.batch] if protocol.own_batch else []
    if "max" in protocol.inference_batches and target.device == "cuda":
        asked.append(largest_batch(call, max(asked, default=1)))
    return [(records, call(records)) for records in dict.fromkeys(asked)]


def _not_there(phase: str, design: Design, target: Target, store: Path | None) -> str:
    """Why a design, a target or a call has not a phase that it is asked for; empty where it has."""
    kept = design.recipe == "frozen-features" and design.computed.features
    if target.launched and phase in ("load_batch", "loaded_step", "inference", *ONCE):
        return f"the target declares several processes, and this is one's work; allowed: {', '.join(_OF_SEVERAL)}"
    if phase in READS and store is None:
        return "it reads records; name them with --store store.h5"
    if phase in ("load_batch", "loaded_step") and kept:
        return "the design trains on features that it keeps, not on the store's records"
    if phase == "epoch" and kept:
        return "the design trains on features that it keeps; its steps are timed as 'train_step'"
    if phase == "features" and not kept:
        return "the design keeps no features of a frozen encoder; allowed: a design whose recipe 'frozen-features' keeps them"
    if phase in ("inference", "evaluation") and design.recipe in PRETRAINING:
        return f"the design's recipe '{design.recipe}' scores nothing"
    if phase == COMPILE and not target.compile:
        return "the target does not compile; allowed: a target with 'compile: true'"
    return ""


def bottleneck(loaded: Phase, phases: list[Phase]) -> str:
    """What a step with its loading waits for: loading too, or the model, where loading was seen to add less than a tenth.

    Args:
        phases: of the same job; `train_step` is looked for among them.
    """
    alone = next((phase for phase in phases if phase.name == "train_step"), None)
    if alone is None:
        return ""
    if not (alone.calm and loaded.calm):
        return "no verdict: disturbed or throttled; measure again on a machine that does nothing else"
    more = median(loaded.seconds) / median(alone.seconds) - 1
    floors = [phase.noise_floor for phase in (alone, loaded)]
    if None in floors:
        return (
            f"no verdict: loading adds {more:.0%}, and there is no noise floor: it takes repeats, and the machine alone"
        )
    noise = math.hypot(*(math.log1p(floor) for floor in floors if floor is not None))
    if math.log1p(more) > noise:
        return f"loading adds {more:.0%}"
    if math.log1p(more) + noise <= math.log1p(_LITTLE):
        return f"the model: loading adds {more:.0%}, and less than {math.expm1(math.log1p(more) + noise):.0%}"
    # A floor narrows with the square root of the repeats at least.
    repeats = math.ceil(min(len(phase.seconds) for phase in (alone, loaded)) * (noise / math.log1p(_LITTLE)) ** 2)
    return f"no verdict: loading adds {more:.0%}, and {math.expm1(noise):.0%} are noise; {repeats} repeats would tell {_LITTLE:.0%}"


def _filed(bench: "Bench", name: str, call: Call, ready: "Prepared", counted: bool = True, looks: bool = True) -> Phase:
    """Time a step, and say what memory made of its micro-batch."""
    phase = bench.timed(name, call, ready.batch, "crop", counted=counted, looks=looks)
    phase.micro_batch, phase.halved = ready.step.micro_batch, ready.step.halved
    return phase


def _compilation(bench: "Bench", ready: "Prepared") -> None:
    """Time the first step of a compiled model, compilation included."""
    call = ready.train_step()
    load, watch = ForeignLoad(), Stopwatch(bench.synchronise)
    call()
    seconds = watch.lap()
    bench.once(COMPILE, seconds, load.share(), batch_size=ready.batch, precision=bench.precision)


def _training_step(bench: "Bench", ready: "Prepared") -> None:
    """Time the step without its data loader."""
    call = ready.train_step()
    phase = _filed(bench, "train_step", call, ready)
    phase.extra["switches"] = switch_ratios(call, bench.target, bench.protocol, bench.synchronise)
