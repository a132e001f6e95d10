"""The fast reader decodes what the field's library decodes, bit for bit, and leaves it what it does not know."""

import shutil

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitalbench.data import unpack as unpack_module
from vitalbench.data.unpack import unpack_212, unpack_by_numpy
from vitalbench.data.wfdb_formats import ShortFile, parse_header, read_samples
from vitalbench.data.wfdb_record import read_recording


def write(folder, name: str, samples: np.ndarray, form: str, rate: float = 250) -> None:
    """A record by the library's own writer; samples (records, leads)."""
    leads = samples.shape[1]
    wfdb.wrsamp(
        name,
        fs=rate,
        units=["mV"] * leads,
        sig_name=[f"lead {k}" for k in range(leads)],
        d_signal=samples,
        fmt=[form] * leads,
        adc_gain=[200.0 + k for k in range(leads)],
        baseline=list(range(-1, leads - 1)),
        write_dir=str(folder),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["16", "212"]), st.integers(1, 13), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_both_formats_are_read_as_the_library_reads_them(tmp_path, form, leads, samples, seed):
    limit = 2 ** (15 if form == "16" else 11)
    values = np.random.default_rng(seed).integers(-limit, limit, (samples, leads))
    write(tmp_path, "r", values, form)
    header = parse_header((tmp_path / "r.hea").read_text())
    assert header is not None
    theirs = wfdb.rdrecord(str(tmp_path / "r"), physical=False)
    ours = read_samples(tmp_path / header.file, header)
    assert ours.dtype == np.int16
    assert np.array_equal(ours.T, theirs.d_signal)
    assert np.array_equal(ours.T, values)
    assert (header.gain, header.baseline, header.checksum) == (theirs.adc_gain, theirs.baseline, theirs.checksum)
    assert (header.leads, header.units, header.rate_hz) == (theirs.sig_name, theirs.units, theirs.fs)


def test_a_challenge_mat_file_is_format_16_behind_a_matlab_header(tmp_path):
    values = np.arange(24, dtype="<i2").reshape(12, 2)
    (tmp_path / "c.mat").write_bytes(bytes(24) + values.tobytes())
    lines = [f"c.mat 16+24 1000/mV 16 0 {values[0, k]} {values[:, k].sum()} 0 L{k}" for k in range(2)]
    (tmp_path / "c.hea").write_text("\n".join(["c 2 500 12 12-May-2020 12:33:59", *lines, "#Age: 74"]) + "\n")
    found = read_recording(tmp_path / "c")
    assert np.array_equal(found.digital, values.T)
    assert np.array_equal(wfdb.rdrecord(str(tmp_path / "c"), physical=False).d_signal.T, found.digital)
    assert found.comments == ["Age: 74"]


@given(st.integers(1, 13), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_whatever_the_bytes_compiled_code_and_numpy_unpack_the_same(leads, samples, seed):
    packed = np.random.default_rng(seed).integers(0, 256, (3 * leads * samples + 1) // 2, dtype=np.uint8)
    assert np.array_equal(unpack_212(packed, leads, samples), unpack_by_numpy(packed, leads, samples))


def test_fewer_bytes_than_samples_are_not_unpacked():
    with pytest.raises(ValueError, match="8 bytes hold fewer than 2 x 3 values"):
        unpack_212(np.zeros(8, dtype=np.uint8), 2, 3)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_an_installation_with_a_compiler_unpacks_by_compiled_code():
    assert unpack_module._IN_C is not None


@pytest.mark.parametrize("unpack", [unpack_212, unpack_by_numpy])
@pytest.mark.parametrize("values", [1, 2, 3, 4, 7])
def test_212_ends_where_it_ends(values, unpack):
    numbers = np.array([-2048, 2047, -1, 0, 1, 1365, -1366])[:values]
    packed = bytearray()
    for first, second in zip(numbers[::2], [*numbers[1::2], 0], strict=False):
        packed += bytes([first & 0xFF, (first >> 8 & 0x0F) | (second >> 8 & 0x0F) << 4, second & 0xFF])
    whole = np.frombuffer(bytes(packed), dtype=np.uint8)
    assert unpack(whole[: -(-values * 3 // 2)], 1, values).tolist() == [numbers.tolist()]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r 1 100\nr.dat 16 200 16 0 0 0 0 I",  # length not stated
        "r/2 1 100 1000\nr_1 500\nr_2 500",  # segments
        "r 2 100 50\na.dat 16 200 16 0 0 0 0 I\nb.dat 16 200 16 0 0 0 0 II",  # two files
        "r 1 100 50\nr.dat 80 200 8 0 0 0 0 I",  # another format
        "r 1 100 50\nr.dat 16x4 200 16 0 0 0 0 I",  # several samples a frame
        "r 1 100 50\nr.dat 16:3 200 16 0 0 0 0 I",  # skew
        "r 1 100 50\nr.dat 16 0 16 0 0 0 0 I",  # gain not known
        "r 1 100 50\nr.dat 16 200",  # fields left out
    ],
)
def test_the_rest_is_left_to_the_library(text):
    assert parse_header(text) is None


def test_a_multi_segment_record_comes_through_the_library(tmp_path):
    values = np.arange(40).reshape(20, 2)
    for name in ("s_1", "s_2"):
        write(tmp_path, name, values, "16")
    (tmp_path / "s.hea").write_text("s/2 2 250 40\ns_1 20\ns_2 20\n")
    assert np.array_equal(read_recording(tmp_path / "s").digital.T, np.concatenate([values, values]))


def test_a_file_shorter_than_promised_is_never_padded(tmp_path):
    write(tmp_path, "r", np.zeros((10, 3), dtype=int), "212")
    content = (tmp_path / "r.dat").read_bytes()
    (tmp_path / "r.dat").write_bytes(content[:-1])
    header = parse_header((tmp_path / "r.hea").read_text())
    assert header is not None
    with pytest.raises(ShortFile, match="44 bytes, its header needs 45"):
        read_samples(tmp_path / "r.dat", header)
