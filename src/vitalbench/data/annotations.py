"""What is annotated in a WFDB recording: beats, changes of rhythm, and the header's own facts that windows are cut by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from vitalbench.data.datasets import UnreadableRecord
from vitalbench.data.header_lines import hold_lines
from vitalbench.data.wfdb_library import reason

# AAMI EC57 and de Chazal et al. 2004 (doi:10.1109/TBME.2004.827359): the symbols of annot(5) in five classes.
AAMI = {
    **dict.fromkeys("NLRej", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VE", "V"),
    "F": "F",
    **dict.fromkeys("/fQ", "Q"),
}
_RHYTHM = "+"
_BITS = {"16": 16, "212": 12}  # of a sample
_END = b"\x00\x00"  # of a file of annotations, annot(5)
_BEHIND_S = 1.0  # an end that is annotated may lie behind the last sample; CPSC2021 has such
_NOTHING = ("", "None")  # CPSC2021 writes the word where others write nothing


@dataclass(frozen=True)
class Facts:
    """What a header says of a recording as a whole."""

    rate_hz: float
    samples: int
    leads: list[str]
    comments: list[str]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / self.rate_hz


@dataclass(frozen=True)
class Annotations:
    """The annotations of one recording, in the order of time: sample, symbol as in annot(5), and the note beside it."""

    sample: NDArray[np.int64]
    symbol: list[str]
    note: list[str]

    def beats(self) -> list[tuple[int, str]]:
        """The sample of each beat and its AAMI class."""
        pairs = zip(self.sample.tolist(), self.symbol, strict=True)
        return [(sample, AAMI[symbol]) for sample, symbol in pairs if symbol in AAMI]

    def rhythm_marks(self) -> list[tuple[int, str]]:
        """The sample of each mark of a rhythm, and what is noted beside it."""
        rows = zip(self.sample.tolist(), self.symbol, self.note, strict=True)
        return [(sample, note) for sample, symbol, note in rows if symbol == _RHYTHM]

    def rhythms(self, before: str) -> list[tuple[int, str]]:
        """Where each rhythm begins, and its name without the parenthesis; the first begins at 0.

        Args:
            before: the rhythm until the first change that is annotated behind a beat. One before all beats is that of the start.
        """
        changes = [(sample, note[1:]) for sample, note in self.rhythm_marks() if note.startswith("(")]
        beat = next(iter(self.beats()), None)
        if changes and (beat is None or changes[0][0] <= beat[0]):
            return [(0, changes[0][1]), *changes[1:]]
        return [(0, before), *changes]


def _samples(path: Path, header: Any) -> int:
    """How long a recording is by its first sample file, where its header leaves that out, as it may; 0 without signals."""
    files = [str(name) for name in header.file_name or []]
    if not files:
        return 0
    bits = _BITS.get(str(header.fmt[0]))
    if bits is None:
        raise UnreadableRecord("bad-header", f"{path.name}.hea: does not say how long it is, of format {header.fmt[0]}")
    frame = sum(header.samps_per_frame[at] or 1 for at, name in enumerate(files) if name == files[0])
    try:
        size = path.with_name(files[0]).stat().st_size - (header.byte_offset[0] or 0)
    except FileNotFoundError:
        raise UnreadableRecord("missing-file", f"{files[0]} is not there") from None
    return size * 8 // (bits * frame)


def read_facts(path: Path) -> Facts:
    """Read a header.

    Args:
        path: the record, without extension.

    Raises:
        UnreadableRecord: it is missing or damaged.
    """
    described = path.with_name(f"{path.name}.hea")
    try:
        hold_lines(path, described.read_text(encoding="utf-8", errors="replace"))
        header = wfdb.rdheader(str(path))
        names = [str(name) for name in header.sig_name or []]
        return Facts(
            float(header.fs),
            int(header.sig_len or _samples(path, header)),
            names,
            [str(line) for line in header.comments],
        )
    except UnreadableRecord:
        raise
    except FileNotFoundError:
        raise UnreadableRecord("missing-file", f"{described.name} is not there") from None
    except Exception as error:  # noqa: BLE001 - on damaged files the library raises what comes
        raise UnreadableRecord("bad-header", f"{described.name}: {reason(error)}") from None


def _hold_whole(file: Path) -> None:
    """Refuse a file that breaks off: where it does between two annotations the library reads what is left as if it were all."""
    content = file.read_bytes()
    if len(content) % 2 or content[-2:] != _END:
        raise UnreadableRecord("bad-file", f"{file.name}: breaks off; a whole one ends with a null word")


def read_annotations(path: Path, extension: str, facts: Facts) -> Annotations:
    """Read the annotations beside a recording.

    Args:
        path: the record, without extension.
        facts: of its header.

    Raises:
        UnreadableRecord: they are missing, damaged, out of order or those of a longer recording.
    """
    name = f"{path.name}.{extension}"
    try:
        _hold_whole(path.with_name(name))
        found = wfdb.rdann(str(path), extension)
        sample = np.asarray(found.sample, dtype=np.int64)
        symbols = [str(symbol) for symbol in found.symbol]
        # What lies behind the end mark of a note is of whatever was there before; edb has such.
        notes = [str(note).partition("\x00")[0] for note in found.aux_note]
    except UnreadableRecord:
        raise
    except FileNotFoundError:
        raise UnreadableRecord("missing-file", f"{name} is not there") from None
    except Exception as error:  # noqa: BLE001 - as above
        raise UnreadableRecord("bad-file", f"{name}: {reason(error)}") from None
    if (np.diff(sample) < 0).any() or (len(sample) and sample[0] < 0):
        raise UnreadableRecord("bad-file", f"{name}: its annotations are out of order")
    if facts.samples and len(sample) and sample[-1] > facts.samples + _BEHIND_S * facts.rate_hz:
        last, end = sample[-1] / facts.rate_hz, facts.seconds
        raise UnreadableRecord(
            "bad-file", f"{name}: annotates {last:.1f} s of a recording of {end:.1f} s: it is another's"
        )
    return Annotations(sample, symbols, ["" if note in _NOTHING else note for note in notes])
