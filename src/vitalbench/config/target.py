"""configs/targets/<name>.yaml: where jobs run, and how. Nothing in it says what is computed; that is the design's matter."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, Positive

# Of a target, what may change a byte of a result; the rest (memory, rates, prices) changes none.
NUMERICS = ("device", "match", "threads", "processes", "strategy", "offload", "compile", "tf32", "flash_attention")
# And what its jobs read beside that: what they ask of the scheduler, what must fit, and switches that change no byte.
EXECUTION = ("scheduler", "memory_gb", "disk_gb", "session_hours", "gradient_checkpointing", "expandable_segments")


class Scheduler(Strict):
    """What a job asks of a scheduler; profiles/ turn it into that scheduler's words."""

    mem_mb: Count
    runtime_min: Count
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_model: str | None = None


class Needs(Strict):
    """What jobs of a design ask of a scheduler where that is more than their target's jobs ask anyway."""

    mem_mb: Count | None = None
    runtime_min: Count | None = None


class Target(Strict):
    """configs/targets/<name>.yaml: declared hardware. Rates are the vendor's, dense; empty where none is stated."""

    description: str = ""
    device: Literal["cpu", "cuda"]
    match: str | None = None
    threads: Count
    processes: Count = 1
    strategy: Literal["ddp", "zero1", "zero2", "zero3"] = "ddp"
    offload: bool = False
    compile: bool = False
    gradient_checkpointing: bool = False
    tf32: bool = False
    flash_attention: bool = True
    expandable_segments: bool = False
    memory_gb: Positive | None = None
    disk_gb: Positive | None = None
    session_hours: Positive | None = None
    bandwidth_gb_s: Positive | None = None
    power_w: Positive | None = None
    peak_tflops: dict[Literal["fp32", "tf32", "bf16"], Positive] = {}
    prices: list[str] = []
    scheduler: Scheduler
    source: str | None = None

    @property
    def zero_stage(self) -> int:
        """What DeepSpeed's ZeRO shares out among the processes: 0 nothing, 1 optimiser states, 2 gradients too, 3 weights too."""
        return 0 if self.strategy == "ddp" else int(self.strategy[-1])

    @property
    def launched(self) -> bool:
        """Whether its jobs are processes of their own, started by the command that was called."""
        return self.processes > 1 or self.zero_stage > 0

    @property
    def cores(self) -> int:
        """Threads of all its processes."""
        return self.threads * self.processes

    @model_validator(mode="after")
    def _strategy_fits(self) -> Self:
        if self.offload and not self.zero_stage:
            raise PydanticCustomError(
                "offload", "offload needs a strategy that shares out (allowed: zero1, zero2, zero3); strategy is 'ddp'"
            )
        if self.device == "cuda" and self.scheduler.gpus not in (0, self.processes):
            raise PydanticCustomError(
                "gpus",
                "scheduler.gpus is {gpus}, and processes is {processes}: one process a GPU",
                {"gpus": self.scheduler.gpus, "processes": self.processes},
            )
        return self

    @model_validator(mode="after")
    def _match_is_a_pattern(self) -> Self:
        if self.device == "cuda" and not self.match:
            raise PydanticCustomError("match", "a target of device 'cuda' needs the key 'match': which GPU it is")
        try:
            re.compile(self.match or "")
        except re.error as error:
            raise PydanticCustomError(
                "match",
                "match is {match}, which is no regular expression: {why}",
                {"match": repr(self.match), "why": str(error)},
            ) from None
        return self
