"""What may be wrong with the samples of a readable record."""

from dataclasses import dataclass

import numpy as np

from vitalbench.config.schema import Quality, Signal
from vitalbench.data.datasets import Record

INVALID = -32768  # WFDB format 16's mark for a sample that was not recorded


@dataclass(frozen=True)
class Finding:
    """One thing found wrong with a record, and whether it is kept out of the store for it."""

    record_id: str
    patient_id: str
    check: str
    detail: str
    action: str  # quarantined | flagged


def sample_checks(record: Record, signal: Signal, limits: Quality) -> list[tuple[str, str]]:
    """Check one record's samples.

    Returns:
        (check, detail) for every finding: `invalid-sample`, `flat-lead` (one value for `flat_seconds` or longer),
        `amplitude` (beyond `max_abs_mv` from the baseline).
    """
    found: list[tuple[str, str]] = []
    invalid = (record.digital == INVALID).any(axis=1)
    if invalid.any():
        found.append(("invalid-sample", "lead " + " ".join(np.array(signal.leads)[invalid])))
    flat = _longest_run(record.digital) >= limits.flat_seconds * signal.rate_hz
    if flat.any():
        found.append(("flat-lead", "lead " + " ".join(np.array(signal.leads)[flat])))
    with np.errstate(divide="ignore"):
        physical = np.abs((record.digital - record.baseline[:, None]) / record.gain[:, None])
    peak = physical.max(axis=1)
    if (peak > limits.max_abs_mv).any():
        found.append(("amplitude", f"{peak.max():.1f} mV in lead {signal.leads[int(peak.argmax())]}"))
    return found


def _longest_run(digital: np.ndarray) -> np.ndarray:
    """The longest run of one value in each lead, in samples."""
    changed = np.diff(digital, axis=1) != 0
    runs = np.zeros(len(digital), dtype=int)
    for lead, change in enumerate(changed):
        edges = np.concatenate([[-1], np.flatnonzero(change), [len(change)]])
        runs[lead] = np.diff(edges).max()
    return runs
