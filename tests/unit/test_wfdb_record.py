"""A WFDB record is taken for good only if it is everything its header says."""

import os
import shutil

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitalbench.config.dataset import Signal
from vitalbench.data.datasets import UnreadableRecord
from vitalbench.data.wfdb_record import read_wfdb, write_wfdb

SIGNAL = Signal(leads=["I", "II", "V1"], rate_hz=100, seconds=0.5)


@pytest.fixture
def record(tmp_path):
    digital = np.random.default_rng(0).integers(-3000, 3000, (3, 50)).astype(np.int16)
    write_wfdb(tmp_path / "r1", digital, ("I", "II", "V1"), 100, 1000)
    return tmp_path / "r1"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(np.int16, (3, 50), elements=st.integers(-32768, 32767)))
def test_what_is_written_is_read_back_by_us_and_by_the_library(tmp_path, digital):
    write_wfdb(tmp_path / "r", digital, ("I", "II", "V1"), 100, 1000)
    found = read_wfdb(tmp_path / "r", SIGNAL)
    assert np.array_equal(found.digital, digital)
    assert found.gain.tolist() == [1000] * 3
    theirs = wfdb.rdrecord(str(tmp_path / "r"), physical=False)
    assert np.array_equal(theirs.d_signal.T, digital)


def test_leads_are_taken_by_name_not_position(tmp_path):
    digital = np.arange(150).reshape(3, 50).astype(np.int16)
    write_wfdb(tmp_path / "r", digital, ("V1", "I", "II"), 100, 1000)
    assert np.array_equal(read_wfdb(tmp_path / "r", SIGNAL).digital, digital[[1, 2, 0]])


def replace(old: str, new: str):
    return lambda header, samples: header.write_text(header.read_text().replace(old, new))


def flip_a_bit(header, samples):
    content = bytearray(samples.read_bytes())
    content[17] ^= 1
    samples.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (lambda header, samples: samples.write_bytes(samples.read_bytes()[:100]), "short-file"),
        (lambda header, samples: samples.write_bytes(b""), "short-file"),
        (lambda header, samples: samples.unlink(), "missing-file"),
        (lambda header, samples: header.unlink(), "missing-file"),
        (lambda header, samples: header.write_bytes(b""), "bad-header"),
        (lambda header, samples: header.write_bytes(bytes(range(256))), "bad-header"),
        (flip_a_bit, "bad-checksum"),
        (replace("r1 3 100 50", "r1 3 250 50"), "wrong-rate"),
        (replace(" V1", " V2"), "wrong-leads"),
        (replace("/mV", "/uV"), "wrong-unit"),
        (replace("r1.dat", "/etc/passwd"), "bad-header"),
        (replace("r1.dat 16", "r1.dat 212"), "long-file"),
        (replace("r1 3 100", "r2 3 100"), "bad-header"),  # of another record, as its samples would be
        (replace("1000.0(0)", "9" * 100_000 + "x"), "bad-header"),
    ],
)
def test_damage_is_named(record, damage, check):
    damage(record.with_suffix(".hea"), record.with_suffix(".dat"))
    with pytest.raises(UnreadableRecord) as caught:
        read_wfdb(record, SIGNAL)
    assert caught.value.check == check


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_garbled_header_never_gets_further_than_a_finding(record, changes):
    folder = record.parent / "garbled"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    content = bytearray(record.with_suffix(".hea").read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    (folder / "r1.hea").write_bytes(bytes(content))
    shutil.copy(record.with_suffix(".dat"), folder)
    try:
        found = read_wfdb(folder / "r1", SIGNAL)
    except UnreadableRecord:
        return
    assert found.digital.shape == (3, 50)


def header_of(leads: int, samples: int, form: str, gain: str = "1000(0)/mV") -> str:
    lines = [f"r1.dat {form} {gain} 16 0 0 0 0 {name}" for name in ("I", "II", "V1")[:leads]]
    return "\n".join([f"r1 {leads} 100 {samples}", *lines]) + "\n"


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (header_of(3, 9_999_999_999_999, "80"), "short-file"),
        (header_of(3, 9_999_999_999_999, "16"), "short-file"),
        (header_of(3, 9_999_999_999_999, "212"), "short-file"),
        ("r1/2 3 100 100\nr1 50\nr1 50\n", "bad-header"),
        (header_of(3, 50, "16").replace(" 50\n", " " + "9" * 5000 + "\n"), None),
        (header_of(3, 50, "16").replace("r1.dat", "r1\0.dat"), None),
        (header_of(3, 50, "16", "1e999(0)/mV"), None),
        (header_of(3, 50, "16", "1e30(0)/mV"), None),
        (header_of(3, 50, "16", "1e-50(0)/mV"), None),
        (header_of(3, 50, "16", "1000(" + "9" * 400 + ")/mV"), None),
    ],
)
def test_a_hostile_header_is_a_finding_and_not_the_end(record, text, check):
    record.with_suffix(".hea").write_text(text)
    with pytest.raises(UnreadableRecord) as caught:
        read_wfdb(record, SIGNAL)
    assert check is None or caught.value.check in (check, "bad-header", "short-file")


def test_a_pipe_is_not_waited_for(record):
    for suffix in (".dat", ".hea"):
        path = record.with_suffix(suffix)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(UnreadableRecord, match="not a regular file"):
            read_wfdb(record, SIGNAL)


def test_the_mark_of_every_format_is_stored_as_one(tmp_path):
    values = np.random.default_rng(0).integers(-2000, 2000, (50, 3))
    values[7, 1] = -2048
    wfdb.wrsamp(
        "r", 100, ["mV"] * 3, ["I", "II", "V1"], d_signal=values, fmt=["212"] * 3,
        adc_gain=[1000.0] * 3, baseline=[0] * 3, write_dir=str(tmp_path),
    )  # fmt: skip
    found = read_wfdb(tmp_path / "r", SIGNAL).digital
    assert found[1, 7] == -32768
    assert (found == -32768).sum() == 1
