"""progress.json of a run: how far it has come, what it has taken, and which process says so.

It is a message to whoever watches, and the account that a budget goes on from; nothing of a result rests on it. Whoever reads it
holds it for what anyone may have written there.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vitalbench import layout
from vitalbench.config.strict import Strict, validated
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json, to_json, write_text
from vitalbench.watch.process import Writer

VERSION = 1
_MOST_BYTES = 64_000  # what we write has a few hundred
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Value = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0, le=10**15)]
Words = Annotated[str, Field(max_length=200)]
Stage = Literal["setting up", "training", "scoring", "ended", "interrupted"]


class Training(Strict):
    """Where a training stands.

    Attributes:
        batch: done, of `batches` in the epoch under way.
        loss: mean over the epoch's batches so far.
        val_loss: of the last epoch that has one.
        metric, val_metric: what the validation records are judged by, and their value after that epoch.
        records_per_s: over the last seconds.
        left_s: projected from the pace of this process: the batches left, validations included, scoring left out.
    """

    epoch: Whole
    epochs: Whole
    batch: Whole
    batches: Whole
    loss: Value | None = None
    val_loss: Value | None = None
    metric: Words = ""
    val_metric: Value | None = None
    records_per_s: Number | None = None
    left_s: Number | None = None


class Gpu(Strict):
    """One GPU: the share of the last moments in which it computed, and its memory in use, by everyone, in bytes."""

    name: Words
    use: Annotated[float, Field(ge=0, le=1)]
    memory: Whole
    memory_total: Whole


class Progress(Strict):
    """What progress.json holds.

    Attributes:
        status: of the cell, once it ended.
        seconds: of wall time that all processes of this run have taken so far, lost work and setting up included.
        other_seconds: that earlier runs of the cell took, of another configuration or from the beginning.
        memory_bytes: that the process holds on the host; of several, the first.
        processes: how many work on the run.
    """

    version: Literal[1] = 1
    run_id: Words
    stage: Stage
    status: Words = ""
    writer: Writer
    written: Words
    seconds: Number
    other_seconds: Number = 0.0
    training: Training | None = None
    memory_bytes: Whole = 0
    processes: Whole = 1
    gpus: Annotated[list[Gpu], Field(max_length=64)] = Field(default_factory=list)
    price_key: Words = ""
    usd_per_hour: Number | None = None
    budget_usd: Number | None = None
    budget_hours: Number | None = None


def write_progress(run: Path, progress: Progress) -> None:
    """Write a run's progress, atomically."""
    write_text(run / layout.PROGRESS, to_json(progress.model_dump()))


def read_progress(run: Path) -> Progress | None:
    """A run's progress; None where it has told of none.

    Raises:
        InputError: the file is damaged, of another version, or no file of ours.
    """
    path = run / layout.PROGRESS
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: larger than a progress file can be")
        return validated(Progress, dict(read_json(path)), path)
    except ConfigError as error:
        raise InputError(str(error)) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
