"""TensorBoard's event file of a run: the loss of batches, and every number of an epoch's row of the history.

A record is written through to the system at once, before the state it tells of is saved; so whatever kills the process, the file
holds all that a checkpoint stands on. Going on from one, what was told beyond it is left out: no step is there twice.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from vitalbench.files import atomic
from vitalbench.layout import EVENTS
from vitalbench.measure.clock import unix_seconds
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.observers import Listener

_VERSION = "brain.Event:2"
_POINTS = 1000  # of batches, an epoch, at most
_LENGTH, _CHECK = 8, 4  # bytes of a record's frame
BATCH, EPOCH = "batch/", "epoch/"  # what tags begin with; a batch's step counts batches, an epoch's counts epochs


def _crc(data: bytes) -> bytes:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    return struct.pack("<I", masked_crc32c(data))


def framed(data: bytes) -> bytes:
    """A record as the format frames it: length, its checksum, the data, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + _crc(length) + data + _crc(data)


def records(content: bytes) -> Iterator[bytes]:
    """The records of a file, up to the first that is damaged or cut off."""
    at = 0
    while len(content) >= at + _LENGTH + _CHECK:
        length = content[at : at + _LENGTH]
        begin = at + _LENGTH + _CHECK
        end = begin + int.from_bytes(length, "little")
        if content[at + _LENGTH : begin] != _crc(length) or end + _CHECK > len(content):
            return
        data = content[begin:end]
        if content[end : end + _CHECK] != _crc(data):
            return
        yield data
        at = end + _CHECK


class EventFiles(Listener):
    """Writes the file in a folder.

    Args:
        run: the run's folder.
        run_id: part of the file's name; files of other runs are removed.
    """

    name = "TensorBoard"

    def __init__(self, run: Path, run_id: str) -> None:
        self._path = run / EVENTS / f"events.out.tfevents.{run_id}"
        self._stream: IO[bytes] | None = None
        self._every = 1

    def start(self, begun: Begun, course: Course) -> None:
        """Write anew what was told up to here, and go on behind it."""
        self._every = -(-begun.steps // _POINTS)
        kept, epochs = self._kept(course)
        with atomic(self._path) as temporary:
            first = self._event(0, {}, file_version=_VERSION)
            temporary.write_bytes(b"".join(framed(data) for data in [first, *kept]))
        for other in self._path.parent.glob("events.out.tfevents.*"):
            if other != self._path:
                other.unlink()
        self._stream = self._path.open("ab", buffering=0)
        for row in course.history:
            if row["epoch"] not in epochs:
                self._row(row)

    def batch(self, course: Course, loss: float) -> None:
        """Write a batch's loss; of long epochs, every so manieth."""
        if course.taken % self._every == 0:
            self._write(course.taken, {f"{BATCH}loss": loss})

    def epoch(self, course: Course, row: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the row's numbers."""
        self._row(row)

    def close(self, status: str) -> None:  # noqa: ARG002
        """Close the file."""
        if self._stream:
            self._stream.close()
            self._stream = None

    def _row(self, row: dict[str, Any]) -> None:
        told = {name: value for name, value in row.items() if name != "epoch" and isinstance(value, int | float)}
        self._write(int(row["epoch"]), {f"{EPOCH}{name}": float(value) for name, value in told.items()})

    def _write(self, step: int, values: dict[str, float]) -> None:
        if self._stream:
            self._stream.write(framed(self._event(step, values)))

    def _event(self, step: int, values: dict[str, float], **others: Any) -> bytes:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if values:
            others["summary"] = Summary(value=[Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()])
        data: bytes = Event(wall_time=unix_seconds(), step=step, **others).SerializeToString()
        return data

    def _kept(self, course: Course) -> tuple[list[bytes], set[int]]:
        """The records of an earlier process that the run stands on, and the epochs that are among them."""
        from tensorboard.compat.proto.event_pb2 import Event

        kept, epochs = [], set()
        for data in records(self._path.read_bytes()) if self._path.is_file() else ():
            event = Event.FromString(data)
            tags = {value.tag for value in event.summary.value}
            of_batch = any(tag.startswith(BATCH) for tag in tags)
            if not tags or event.step > (course.taken if of_batch else len(course.history)):
                continue
            kept.append(data)
            if not of_batch:
                epochs.add(event.step)
        return kept, epochs
