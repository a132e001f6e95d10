"""Time a design on generated batches of a data set's shape: build, training step, inference. Nothing is trained for a result."""

from collections.abc import Callable
from typing import Any

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.schema import Design, Protocol, Target, TaskData
from vitalbench.errors import ConfigError, choices
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.memory import peak_memory_mb
from vitalbench.measure.phases import Phase

PHASES = ("import", "build", "train_step", "inference")
_SEED = 0
_ATTEMPTS = 3  # at an undisturbed measurement; the last one stands, and says so


def repeat(call: Callable[[], Any], protocol: Protocol, synchronise: Callable[[], None]) -> list[float]:
    """Seconds of each repeat: warm-ups first and apart, then until both the least repeats and the least seconds are reached."""
    for _ in range(protocol.warmup):
        call()
    seconds: list[float] = []
    watch = Stopwatch(synchronise)
    while len(seconds) < protocol.repeats or sum(seconds) < protocol.seconds:
        call()
        seconds.append(watch.lap())
    return seconds


def measure(
    design: Design,
    dataset: DatasetBuild,
    task: TaskData,
    target: Target,
    protocol: Protocol,
    phases: list[str],
    exclusive: bool,
) -> list[Phase]:
    """Time some phases of a design.

    Args:
        phases: of PHASES.
        exclusive: whether the caller saw to it that nothing else runs on the machine.

    Returns:
        A Phase each; a design without a model has none to time.

    Raises:
        ConfigError: an unknown phase.
    """
    for phase in phases:
        if phase not in PHASES:
            raise ConfigError(f"phase {phase!r}: {choices(phase, PHASES)}")
    if design.model is None or design.train is None:
        return []
    watch = Stopwatch()
    import torch

    from vitalbench.models import build
    from vitalbench.train.batches import window_samples
    from vitalbench.train.engine import make_step, prepare_torch, synchroniser

    found = [Phase("import", [watch.lap()], exclusive=exclusive)] if "import" in phases else []
    accelerator = prepare_torch(target, _SEED)
    synchronise = synchroniser(target)
    samples, starts = window_samples(design.window, dataset.signal.samples, dataset.signal.rate_hz)
    leads, classes = len(dataset.signal.leads), len(task.classes)
    watch = Stopwatch(synchronise)
    model = build(design.model.name, design.model.options, leads=leads, samples=samples, classes=classes)
    if "build" in phases:
        found.append(Phase("build", [watch.lap()], exclusive=exclusive))
    step = make_step(accelerator, model, design.train, task.kind)
    generator = torch.Generator().manual_seed(_SEED)

    def timed(name: str, call: Callable[[], Any], batch: int, unit: str) -> None:
        for _ in range(_ATTEMPTS):
            load = ForeignLoad()
            seconds = repeat(call, protocol, synchronise)
            disturbed = load.disturbed()
            if not disturbed:
                break
        found.append(
            Phase(
                name, seconds, items=batch, unit=unit, batch_size=batch, precision="fp32", peak_memory_mb=peak_memory_mb(),
                exclusive=exclusive, disturbed=disturbed, warmup=protocol.warmup,
            )
        )  # fmt: skip

    if "train_step" in phases:
        batch = design.train.batch_size
        x = torch.randn(batch, leads, samples, generator=generator)
        y = torch.zeros(batch, classes)
        y[:, 0] = 1
        step.model.train()
        timed("train_step", lambda: step(x, y), batch, "crop")
    if "inference" in phases:
        step.model.eval()
        for batch in dict.fromkeys([*protocol.inference_batches, design.train.batch_size]):
            # A record is as many windows as the design looks at.
            x = torch.randn(batch * len(starts), leads, samples, generator=generator)

            def infer(x: torch.Tensor = x) -> None:
                with torch.inference_mode():
                    step.model(x.to(accelerator.device))

            timed("inference", infer, batch, "record")
    return found
