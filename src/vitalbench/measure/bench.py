"""Where a design's phases are timed, a call each: repeats beside the reference operation, conditions, counts, energy, memory."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from vitalbench.config.schema import Protocol
from vitalbench.config.target import Target
from vitalbench.measure.conditions import ATTEMPTS, Watched
from vitalbench.measure.core_to_core import core_to_core_ns
from vitalbench.measure.counting import count
from vitalbench.measure.energy import energy
from vitalbench.measure.limits import limits
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.memory import peak_memory_mb
from vitalbench.measure.phases import Phase
from vitalbench.measure.reference import reference_operation
from vitalbench.measure.repeats import Call, Repeats, repeat, repeat_together
from vitalbench.train.strategy import any_process, slowest_process

_MEGA = 1e6


def model_mb(model: nn.Module) -> float:
    """Memory of a model's weights and buffers in 10^6 bytes; of those that several names share, once."""
    tensors = [*model.parameters(), *model.buffers()]
    stored = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(stored.values()) / _MEGA


@dataclass
class Bench:
    """The device of a target, under a protocol; `phases` gathers what was timed on it.

    Attributes:
        precision: of training.
        synchronise: waits for the device.
        alone: nothing else runs on the machine, as far as the caller sees to it.
    """

    accelerator: Accelerator
    target: Target
    protocol: Protocol
    precision: str
    synchronise: Callable[[], None]
    alone: bool
    phases: list[Phase] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reference_name, self._reference = reference_operation(self.accelerator.device)
        self._limits: dict[str, dict[str, dict[str, Any]]] = {}
        self._limits_of(self.precision)

    def _limits_of(self, precision: str) -> dict[str, dict[str, Any]]:
        """What the device does at most in a precision, found once."""
        if precision not in self._limits:
            found = limits(self.target, self.accelerator.device, precision, self.synchronise)
            self._limits[precision] = {"flops": found.flops.to_json(), "bytes": found.bytes.to_json()}
        return self._limits[precision]

    def once(self, name: str, seconds: float, foreign: float | None, **told: Any) -> None:
        """File a phase that happens once, and so is not repeated where others disturbed it.

        Args:
            foreign: share of the processors that others took meanwhile; None where that cannot be seen.
        """
        alone = not self.target.launched  # one process of several cannot tell the others from strangers
        seen = foreign if alone else None
        told |= {"disturbed": ForeignLoad.is_much(seen), "conditions": {"foreign_load": seen} if alone else {}}
        self.phases.append(Phase(name, [seconds], exclusive=self.alone, **told))

    def timed(
        self,
        name: str,
        call: Call,
        batch: int,
        unit: str,
        *,
        counted: bool = True,
        looks: bool = True,
        precision: str = "",
        **told: Any,
    ) -> Phase:
        """Time a call, again where foreign work disturbed it, and file it as a phase.

        Args:
            batch: how many of `unit` a call handles.
            counted: whether its operations are counted too, which executes it once more.
            looks: at where threads are; not of a call that leaves one of its own at work, which would be in the way.
            precision: of its products, where they are not the training's.
        """
        precision = precision or self.precision
        most = self._limits_of(precision)
        self._forget_peak()
        alone = not self.target.launched
        for _ in range(ATTEMPTS):
            watched = Watched(self.target)
            taken = self._repeats(call, looks)
            seen = asdict(watched.conditions())
            again = bool(seen["disturbed"] or seen["throttled"])
            # Several processes agree: none may repeat alone what takes all of them.
            if not (again if alone else any_process(self.accelerator, again)):
                break
        work = count(call) if alone and counted else None
        joules, by = energy(call, self.target, self.synchronise) if alone else (None, "not-run: several processes")
        phase = Phase(
            name,
            taken.seconds,
            items=batch,
            unit=unit,
            batch_size=batch,
            precision=precision,
            peak_memory_mb=peak_memory_mb(),
            exclusive=self.alone,
            disturbed=seen.pop("disturbed"),
            warmup=self.protocol.warmup,
            reference=taken.beside,
            reference_name=self._reference_name if taken.beside else "",
            latencies=taken.latencies,
            limits=most if alone else {},
            flops=work.flops if work and not work.unseen else None,
            bytes=work.bytes if work and not work.unseen else None,
            uncounted=work.unseen if work else "",
            energy_j=joules,
            energy_method=by,
            device_memory_mb=self._device_peak(),
            conditions=seen,
            **told,
        )
        self.phases.append(phase)
        return phase

    def _repeats(self, call: Call, looks: bool) -> Repeats:
        """Time each repeat, and the reference operation beside it where there is one process."""
        if self.target.launched:
            slowest = partial(slowest_process, self.accelerator)
            return Repeats(repeat_together(call, self.protocol, self.synchronise, slowest))
        look = partial(core_to_core_ns, self.target.threads) if looks and self.target.device == "cpu" else None
        return repeat(call, self.protocol, self.synchronise, self._reference, look)

    def _forget_peak(self) -> None:
        if self.target.device == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def _device_peak(self) -> float | None:
        return torch.cuda.max_memory_allocated() / _MEGA if self.target.device == "cuda" else None
