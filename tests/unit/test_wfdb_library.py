"""Records that come through the field's library are trusted no sooner than others: every file of every segment is held first."""

import numpy as np
import pytest
import wfdb

from vitalbench.config.dataset import Signal
from vitalbench.data.datasets import UnreadableRecord
from vitalbench.data.wfdb_record import read_recording, read_wfdb

LEADS = ["I", "II"]
SIGNAL = Signal(leads=LEADS, rate_hz=100, seconds=0.4)


def write(folder, name, values, form="16"):
    """A record of (samples, 2) by the library's own writer."""
    wfdb.wrsamp(
        name, 100, ["mV"] * 2, LEADS, d_signal=values, fmt=[form] * 2, adc_gain=[1000.0] * 2, baseline=[0, 0],
        write_dir=str(folder),
    )  # fmt: skip


def samples(seed, count=20):
    return np.random.default_rng(seed).integers(-100, 100, (count, 2))


@pytest.fixture
def segments(tmp_path):
    """A record of 40 samples in two segments."""
    for number in (1, 2):
        write(tmp_path, f"s_{number}", samples(number))
    (tmp_path / "s.hea").write_text("s/2 2 100 40\ns_1 20\ns_2 20\n")
    return tmp_path / "s"


def refused(path, signal=SIGNAL) -> str:
    with pytest.raises(UnreadableRecord) as caught:
        read_wfdb(path, signal)
    assert "\n" not in str(caught.value)
    return f"{caught.value.check}: {caught.value}"


def flip(path):
    content = bytearray(path.read_bytes())
    content[12] ^= 2
    path.write_bytes(bytes(content))


def test_segments_are_one_record(segments):
    assert np.array_equal(read_wfdb(segments, SIGNAL).digital.T, np.concatenate([samples(1), samples(2)]))


@pytest.mark.parametrize("name", ["s_1", "s_2"])
def test_every_segment_is_held_against_its_own_checksum(segments, name):
    flip(segments.with_name(f"{name}.dat"))
    assert refused(segments).startswith(f"bad-checksum: {name}: ")


def test_two_wrongs_in_two_segments_do_not_cancel(segments):
    for number, change in ((1, 1), (2, -1)):
        values = samples(number)
        values[3, 0] += change
        header = (segments.parent / f"s_{number}.hea").read_text()
        write(segments.parent, f"s_{number}", values)
        (segments.parent / f"s_{number}.hea").write_text(header)
    assert refused(segments).startswith("bad-checksum: s_1: ")


def edit(old: str, new: str, name: str = "s_2.hea"):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "s_2.dat").unlink(), "missing-file: s_2.dat is not there"),
        (lambda folder: (folder / "s_2.hea").unlink(), "missing-file: s_2.hea is not there"),
        (lambda folder: (folder / "s_2.dat").write_bytes(bytes(79)), "short-file: s_2.dat: 79 bytes, its header needs 80"),
        (lambda folder: (folder / "s_2.dat").write_bytes(bytes(81)), "long-file: s_2.dat: 81 bytes, its header says 80"),
        (lambda folder: (folder / "s_2.hea").write_bytes(b""), "bad-header: s_2.hea: "),
        (edit("s_2.dat", "../s_2.dat"), "bad-header: s_2.hea: "),
        (edit("s_2 20", "../s_2 20", "s.hea"), "bad-header: s.hea: "),
        (edit("s_2 20", "s 20", "s.hea"), "bad-header: s.hea: segment s is of segments, too"),
        (edit("s_2 20", "s_2 19", "s.hea"), "bad-header: s.hea: says 40 samples, its segments 39"),
        (edit("2 100 20", "2 100 19"), "bad-header: s.hea: segment s_2 has 20 samples, its own header says 19"),
        (edit("2 100 20", "2 250 20"), "bad-header: s.hea: segment s_2 is at 250 Hz, the record at 100"),
        (edit(" 16 1000.0", " 16 200.0"), "unsupported-format: s_2: another gain, baseline, unit or lead than s_1"),
        (edit(" II", " V1"), "unsupported-format: s_2: another gain, baseline, unit or lead than s_1"),
        (edit("40", "99999999999", "s.hea"), "bad-header: s.hea: says 99999999999 samples, its segments 40"),
    ],
)  # fmt: skip
def test_damage_to_a_segment_is_told_for_what_it_is(segments, damage, said):
    damage(segments.parent)
    assert refused(segments).startswith(said)


def test_a_gap_no_memory_holds_is_refused_before_it_is_filled(tmp_path):
    write(tmp_path, "s_1", samples(1))
    (tmp_path / "s_layout.hea").write_text("s_layout 2 100 0\n~ 0 1/mV 0 0 0 0 0 I\n~ 0 1/mV 0 0 0 0 0 II\n")
    (tmp_path / "s.hea").write_text("s/3 2 100 30000000020\ns_layout 0\n~ 30000000000\ns_1 20\n")
    assert refused(tmp_path / "s").startswith("unsupported-format: s.hea: 60,000,000,040 values at once")


def test_a_gap_between_segments_is_stored_as_not_recorded(tmp_path):
    write(tmp_path, "s_1", samples(1), "212")
    (tmp_path / "s_layout.hea").write_text("s_layout 2 100 0\n~ 0 1/mV 0 0 0 0 0 I\n~ 0 1/mV 0 0 0 0 0 II\n")
    (tmp_path / "s.hea").write_text("s/3 2 100 40\ns_layout 0\n~ 20\ns_1 20\n")
    found = read_wfdb(tmp_path / "s", SIGNAL).digital
    assert (found[:, :20] == -32768).all()
    assert np.array_equal(found[:, 20:].T, samples(1))
    flip(tmp_path / "s_1.dat")
    assert refused(tmp_path / "s").startswith("bad-checksum: s_1: ")


def packed(form: str, flat: np.ndarray) -> bytes:
    """signal(5), written out: values of all leads, in the order they are stored."""
    if form == "80":
        return (flat + 128).astype("u1").tobytes()
    if form == "160":
        return (flat + 32768).astype("<u2").tobytes()
    if form == "24":
        return flat.astype("<i4").view("u1").reshape(-1, 4)[:, :3].tobytes()
    if form == "32":
        return flat.astype("<i4").tobytes()
    a, b, c = np.pad(flat & 1023, (0, -len(flat) % 3)).reshape(-1, 3).T
    if form == "311":
        return (a | b << 10 | c << 20).astype("<u4").tobytes()
    return np.stack([a << 1 | (c & 31) << 11, b << 1 | (c >> 5) << 11], axis=1).astype("<u2").tobytes()


@pytest.mark.parametrize("form", ["80", "24", "32", "160", "310", "311"])
@pytest.mark.parametrize("count", [38, 39, 40])
def test_every_format_is_read_whole_and_its_file_is_as_long_as_it_says(tmp_path, form, count):
    values = samples(3, count)
    path, signal = tmp_path / "r", SIGNAL.model_copy(update={"seconds": count / 100})
    lines = [f"r.dat {form} 1000(0)/mV 16 0 {values[0, k]} {values[:, k].sum()} 0 {LEADS[k]}" for k in (0, 1)]
    path.with_suffix(".hea").write_text("\n".join([f"r 2 100 {count}", *lines]) + "\n")
    stored, whole = path.with_suffix(".dat"), packed(form, values.reshape(-1))
    stored.write_bytes(whole)
    assert np.array_equal(read_wfdb(path, signal).digital.T, values)
    stored.write_bytes(whole + bytes(1))
    assert refused(path, signal).startswith(f"long-file: r.dat: {len(whole) + 1} bytes, its header says {len(whole)}")
    stored.write_bytes(whole[: len(whole) - 4])
    assert refused(path, signal).startswith(f"short-file: r.dat: {len(whole) - 4} bytes, its header needs ")
    stored.write_bytes(whole)
    flip(stored)
    assert refused(path, signal).startswith("bad-checksum: r: ")


def test_a_format_that_nobody_knows_is_told_as_that(tmp_path):
    write(tmp_path, "r", samples(3, 40))
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("r.dat 16", "r.dat 99"))
    assert refused(tmp_path / "r").startswith("unsupported-format: r.dat: format 99")


def frames(folder, values) -> None:
    """Two samples a frame of lead I, one of II."""
    wfdb.Record(
        record_name="f", n_sig=2, fs=100, sig_len=40, file_name=["f.dat"] * 2, fmt=["16"] * 2, samps_per_frame=[2, 1],
        adc_gain=[1000.0] * 2, baseline=[0, 0], units=["mV"] * 2, sig_name=LEADS, adc_res=[16] * 2, adc_zero=[0, 0],
        init_value=[int(v[0]) for v in values], checksum=[int(v.sum()) for v in values], block_size=[0, 0],
        e_d_signal=values,
    ).wrsamp(expanded=True, write_dir=str(folder))  # fmt: skip


def test_several_samples_a_frame_are_held_before_they_are_averaged(tmp_path):
    rng = np.random.default_rng(0)
    values = [rng.integers(-100, 100, 80), rng.integers(-100, 100, 40)]
    frames(tmp_path, values)
    theirs = wfdb.rdrecord(str(tmp_path / "f"), physical=False).d_signal
    assert np.array_equal(read_wfdb(tmp_path / "f", SIGNAL).digital.T, theirs)
    flip(tmp_path / "f.dat")
    assert refused(tmp_path / "f").startswith("bad-checksum: f: ")


def test_a_sample_that_was_not_recorded_is_not_averaged_away(tmp_path):
    values = [np.arange(80), np.arange(40)]
    values[0][7] = -32768
    frames(tmp_path, values)
    assert refused(tmp_path / "f").startswith("invalid-sample: f: ")


def test_a_skewed_record_is_held_against_what_is_in_the_file(tmp_path):
    write(tmp_path, "r", samples(3, 40))
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace(" 16 1000", " 16:3 1000", 1))
    theirs = wfdb.rdrecord(str(tmp_path / "r"), physical=False).d_signal
    assert np.array_equal(read_wfdb(tmp_path / "r", SIGNAL).digital.T, theirs)
    flip(tmp_path / "r.dat")
    assert refused(tmp_path / "r").startswith("bad-checksum: r: ")


def test_a_header_without_checksums_is_told_as_that(tmp_path):
    write(tmp_path, "r", samples(3, 40))
    (tmp_path / "r.hea").write_text("r 2 100 40\nr.dat 16 1000/mV\nr.dat 16 1000/mV\n")
    assert refused(tmp_path / "r").startswith("no-checksum: r.hea: ")


def test_what_the_library_cannot_decode_is_not_called_short(tmp_path):
    write(tmp_path, "r", samples(3, 40), "516")
    content = (tmp_path / "r.dat").read_bytes()
    (tmp_path / "r.dat").write_bytes(bytes(100) + content[100:])
    assert refused(tmp_path / "r").startswith("bad-file: r: ")


def test_a_file_longer_than_its_header_says_is_told(tmp_path):
    for form in ("16", "212"):
        write(tmp_path, f"r{form}", samples(3, 40), form)
        path = tmp_path / f"r{form}.dat"
        path.write_bytes(path.read_bytes() + b"\0")
        assert refused(path.with_suffix("")).startswith(f"long-file: r{form}.dat: ")


def test_a_212_file_may_end_with_its_last_pair(tmp_path):
    wfdb.wrsamp(
        "r", 100, ["mV"], ["I"], d_signal=np.arange(39)[:, None], fmt=["212"], adc_gain=[1000.0], baseline=[0],
        write_dir=str(tmp_path),
    )  # fmt: skip
    content = (tmp_path / "r.dat").read_bytes()
    for length in (59, 60):
        (tmp_path / "r.dat").write_bytes(content.ljust(60, b"\0")[:length])
        assert read_recording(tmp_path / "r").digital.tolist() == [list(range(39))]


@pytest.fixture
def elsewhere(tmp_path):
    """A release, and a folder beside it that is no part of it."""
    for name in ("release/a", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path / "release" / "a", "r", samples(3, 40))
    return tmp_path


def moved(path, to) -> None:
    path.rename(to)
    path.symlink_to(to)


@pytest.mark.parametrize("suffix", [".hea", ".dat"])
def test_a_link_out_of_the_release_is_not_followed(elsewhere, suffix):
    path = elsewhere / "release/a/r"
    moved(path.with_suffix(suffix), elsewhere / f"elsewhere/r{suffix}")
    with pytest.raises(UnreadableRecord, match=f"r{suffix} is a link out of the release") as caught:
        read_wfdb(path, SIGNAL, elsewhere / "release")
    assert caught.value.check == "outside-release"
    assert "elsewhere" not in str(caught.value)


def test_a_folder_that_is_a_link_out_of_the_release_is_not_followed(elsewhere):
    moved(elsewhere / "release/a", elsewhere / "elsewhere/a")
    with pytest.raises(UnreadableRecord, match="out of the release"):
        read_wfdb(elsewhere / "release/a/r", SIGNAL, elsewhere / "release")


def test_links_within_the_release_and_to_the_release_are_followed(elsewhere):
    (elsewhere / "release/b").mkdir()
    moved(elsewhere / "release/a/r.dat", elsewhere / "release/b/blob")
    (elsewhere / "named").symlink_to(elsewhere / "release")
    for root in ("release", "named"):
        found = read_wfdb(elsewhere / root / "a/r", SIGNAL, elsewhere / root)
        assert np.array_equal(found.digital.T, samples(3, 40))


def test_a_segment_that_is_a_link_out_of_the_release_is_not_followed(segments, tmp_path_factory):
    moved(segments.parent / "s_2.dat", tmp_path_factory.mktemp("elsewhere") / "s_2.dat")
    assert refused(segments).startswith("outside-release: s_2.dat is a link out of the release")


@pytest.mark.parametrize("content", ["", "\n", "# a comment\n"])
def test_a_header_that_says_nothing_is_named(tmp_path, content):
    (tmp_path / "s.hea").write_text(content)
    assert refused(tmp_path / "s") == "bad-header: s.hea: empty, or cut off before its first signal"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("r 2 100 -40\n{0}{1}", "its first line is none of a record"),
        ("r 2 100/x 40\n{0}{1}", "its first line is none of a record"),
        ("r 1 100\n{0}{1}", "says 1 signals, and has 2 lines of them"),
        ("r 2 100\n{0}", "says 2 signals, and has 1 lines of them"),
        ("r/2 2 100 40\ns_1 40\n", "says 2 segments, and has 1 lines of them"),
        ("q 2 100\n{0}{1}", "the header of another record"),
        ("r 2 100\n{0}r.dat 16 nan(0)/mV 16 0 0 0 0 II\n", "signal 2: a gain that is none"),
        ("r 2 100\n{0}r.dat 16 1000/mV 16 x 0 0 0 II\n", "signal 2: zero that is none"),
        ("r 2 100\n{0}r.dat x16 1000/mV 16 0 0 0 0 II\n", "signal 2: a format that is none"),
        ("r 2 100\n{0}r.dat 16 " + "9" * 200_000 + "x 16 0 0 0 0 II\n", "a line of more than 500 characters"),
    ],
)
def test_a_header_is_held_line_by_line(tmp_path, text, said):
    write(tmp_path, "r", samples(3, 40))
    header = tmp_path / "r.hea"
    _, *signals = header.read_text().splitlines(keepends=True)
    header.write_text(text.format(*signals))
    assert refused(tmp_path / "r").startswith(f"bad-header: r.hea: {said}")


def test_a_gain_that_is_not_stated_is_not_made_up(tmp_path):
    write(tmp_path, "r", samples(3, 40))
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("1000.0(0)/mV 16 0", "0(0)/mV 16 0", 1))
    assert np.array_equal(read_recording(tmp_path / "r").digital.T, samples(3, 40))
    assert read_recording(tmp_path / "r").gain == [0, 1000]
    assert refused(tmp_path / "r") == "wrong-unit: lead I: not calibrated, its gain is 0 or left out"


def test_format_61_is_read_as_the_library_reads_it(tmp_path):
    values = samples(3, 40)
    lines = [f"r.dat 61 1000(0)/mV 16 0 {values[0, k]} {values[:, k].sum()} 0 {LEADS[k]}" for k in (0, 1)]
    (tmp_path / "r.hea").write_text("\n".join(["r 2 100 40", *lines]) + "\n")
    (tmp_path / "r.dat").write_bytes(values.astype(">i2").tobytes())
    assert np.array_equal(read_wfdb(tmp_path / "r", SIGNAL).digital.T, values)


@pytest.mark.parametrize("record", ["r 2 100 2000000000", "r 2 100"])
def test_a_file_of_holes_is_not_asked_for(tmp_path, record):
    """A sparse file costs its writer nothing and its reader all memory there is."""
    write(tmp_path, "r", samples(3, 40))
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("r 2 100 40", record))
    with (tmp_path / "r.dat").open("r+b") as stream:
        stream.truncate(8_000_000_000)
    assert refused(tmp_path / "r") == "unsupported-format: r.hea: 4,000,000,000 values at once"
