"""A dated reference holds what measuring jobs timed, by whom and when, of one device; it is never written over."""

import pytest

from tests.conftest import ROOT, resolved
from tests.unit.test_absent import CELL, phase
from vitalbench import cli
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json, write_json
from vitalbench.gate.measured_file import read_reference
from vitalbench.gate.measured_tables import summary
from vitalbench.layout import MEASUREMENT
from vitalbench.tables import read_table, write_table

MADE = {
    "vitalbench": "0.1",
    "git_commit": "abc",
    "git_clean": False,
    "packages": {"torch": "2.13.0"},
    "image": {"sha256": "12ab"},
    "written": "2026-11-29T08:00:00Z",
}
OTHER = CELL | {"design": "xresnet1d101"}


@pytest.fixture
def results(project, monkeypatch):
    monkeypatch.chdir(project)
    resolved(project)
    results = project / "results/quick"
    for cell, seconds in ((CELL, 1.0), (OTHER, 2.0)):
        phases = [phase("train_step", [seconds] * 3), phase("inference", [seconds / 3] * 3)]
        told = {"device_name": "A CPU", "phases": phases, "provenance": MADE}
        write_json(results / MEASUREMENT.format(**cell), told)
    return results


def test_every_measuring_job_of_a_target_is_kept_with_day_device_and_code(results, project, capsys):
    assert cli.run(["measured", "--results", "results/quick"]) == 0
    path = project / "baselines/measured/2026-11-29-cpu-a-cpu.csv"
    rows = read_table("measured", path)
    assert {(row["design"], row["phase"], row["median_s"]) for row in rows} == {
        ("s4d", "train_step", "1.0"),
        ("s4d", "inference", "0.333333333333"),
        ("xresnet1d101", "train_step", "2.0"),
        ("xresnet1d101", "inference", "0.666666666667"),
    }
    told = {key: rows[0][key] for key in ("measured_at", "size", "git_commit", "torch", "image", "device_name")}
    assert list(told.values()) == ["2026-11-29T08:00:00Z", "small", "abc+", "2.13.0", "12ab", "A CPU"]
    assert "4 phases of 2 designs on A CPU" in capsys.readouterr().err
    before = path.read_bytes()
    with pytest.raises(InputError, match="is there already, and a reference is not written over"):
        cli.run(["measured", "--results", "results/quick"])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"refused": "another GPU"}, "refused: another GPU"),
        ({"device_name": "B CPU"}, "a reference is of one device, and these are of A CPU, B CPU"),
        ({"provenance": None}, "does not say when and by which code it was timed; next: snakemake --cores all measure"),
    ],
)
def test_what_is_no_reference_is_told_in_one_line(results, project, change, said):
    path = results / MEASUREMENT.format(**OTHER)
    told = {key: value for key, value in (read_json(path) | change).items() if value is not None}
    write_json(path, told)
    with pytest.raises(InputError, match=said) as caught:
        cli.run(["measured", "--results", "results/quick"])
    assert "\n" not in str(caught.value)
    assert not (project / "baselines/measured").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latencies": [45.0] * 4}, "latencies is no list of one for each of its 3 seconds"),
        ({"latencies": "near"}, "latencies is no list of one for each of its 3 seconds"),
        ({"latencies": [45.0, None, "45"]}, "a latency is '45'; allowed: 1 to 1500 ns, or null"),
        ({"latencies": [45.0, None, 1e9]}, "a latency is '1000000000.0'; allowed"),
        (
            {"limits": {"flops": {"rate": 1.0, "source": "measured", "core_to_core_ns": -3}}},
            "a latency is '-3'; allowed",
        ),
    ],
)
def test_latencies_that_no_look_at_threads_leaves_are_told_in_one_line(results, project, change, said):
    path = results / MEASUREMENT.format(**OTHER)
    told = read_json(path)
    told["phases"][0] |= change
    write_json(path, told)
    with pytest.raises(InputError, match=said) as caught:
        cli.run(["measured", "--results", "results/quick"])
    assert "cpu.json: train_step: " in str(caught.value)
    assert not (project / "baselines/measured").exists()


def test_a_target_that_nothing_was_timed_on_names_the_next_command(results):
    with pytest.raises(InputError, match=r"nothing was timed on target 'h100'; next: snakemake --cores all measure"):
        cli.run(["measured", "--results", "results/quick", "--target", "h100"])
    with pytest.raises(InputError, match=r"the suite has no target 'h10'; allowed: .*; nearest: h100"):
        cli.run(["measured", "--results", "results/quick", "--target", "h10"])


def kept(phase, batch=None, design="a", **told):
    """A row of a reference."""
    made = {"measured_at": "2026-11-29T08:00:00Z", "size": "small", "git_commit": "abcdef0123", "dataset": "d"}
    machine = {"device_name": "A GPU", "threads": 8, "median_s": 0.1, "repeats": 22}
    return made | machine | {"design": design, "phase": phase, "batch_size": batch} | told


LIMITS = "bytes 2e+12/s declared; flops 1e+14/s declared"


def told_of(tmp_path, *rows):
    path = tmp_path / "a.csv"
    write_table("measured", rows, path)
    return list(summary(path))


def test_the_noise_floor_is_told_by_phase_over_designs_and_of_nothing_disturbed(tmp_path):
    lines = told_of(
        tmp_path,
        kept("import", repeats=1),
        kept("train_step", 64, noise_floor=0.1, repeats=30),
        kept("train_step", 64, "b", noise_floor=0.02),
        kept("train_step", 32, "c", noise_floor=0.04),
        kept("train_step", 32, "e", noise_floor=0.9, disturbed=True),
        kept("train_step", 32, "f", noise_floor=0.8, throttled=True),
    )
    assert lines[0] == "`a.csv`: 6 phases of 5 designs (small) on A GPU, 8 threads, 2026-11-29, commit abcdef0:"
    assert "| `import` | 1 | 0 | 1 | none | - |" in lines
    assert "| `train_step` | 3 | 2 | 22 to 30 | 4.0% | 2.0% to 10.0% |" in lines


def test_shares_of_the_limits_stand_by_design_and_an_empty_one_says_why(tmp_path):
    over = "bytes 2e+12/s declared, no share: 1.20 of the operations that the limit allows; flops 1e+14/s declared"
    lines = told_of(
        tmp_path,
        kept("train_step", 64, mfu=0.5, bandwidth_share=0.25, limits=LIMITS, halved=2),
        kept("inference", 1, mfu=0.01, bandwidth_share=0.02, limits=LIMITS),
        kept("inference", 64, mfu=0.3, bandwidth_share=0.1, limits=LIMITS),
        kept("inference", 4096, limits=over),
        kept("train_step", 32, "b", limits=f"{LIMITS}; not counted: a thread of its own"),
        kept("inference", 1, "b", mfu=0.4, bandwidth_share=0.5, limits=LIMITS),
        kept("load_batch", 32, "b"),
    )
    head = "| data set | design | `train_step` | `inference of 1` | `inference of own batch` | `inference of largest batch` | "
    assert head + "limits | halved | empty |" in lines
    limits = "bytes 2e+12/s declared, flops 1e+14/s declared"
    empty = "inference of largest batch: no share: 1.20 of the operations that the limit allows"
    assert f"| d | a | 0.500 / 0.250 | 0.010 / 0.020 | 0.300 / 0.100 |  | {limits} | 2 | {empty} |" in lines
    empty = "train_step: not counted: a thread of its own"
    assert f"| d | b |  | 0.400 / 0.500 | - | - | {limits} | 0 | {empty} |" in lines


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "a.csv: holds no phase"),
        ([kept("build"), kept("train_step", mfu="much")], "a.csv: line 3: mfu is 'much'; allowed: a number from 0"),
        ([kept("train_step", noise_floor=-0.1)], "a.csv: line 2: noise_floor is '-0.1'"),
        ([kept("train_step", noise_floor="nan")], "a.csv: line 2: noise_floor is 'nan'"),
        ([kept("train_step", repeats="inf")], "a.csv: line 2: repeats is 'inf'"),
        ([kept("train_step", repeats=None)], "line 2: repeats is ''; allowed: a value; this column is never empty"),
        ([kept("train_step", threads=-3)], "line 2: threads is '-3'; allowed: a number from 1 to"),
        ([kept("train_step", mfu=500)], "line 2: mfu is '500'; allowed: a number from 0 to 1.05, or nothing"),
        (
            [kept("train_step", noise_floor=1e9)],
            "line 2: noise_floor is '1000000000.0'; allowed: a number from 0 to 100,",
        ),
        ([kept("train_step", 1.5)], "line 2: batch_size is '1.5'; allowed: a number from 1 to .*, whole"),
        ([kept("train_step", halved=1e300)], r"line 2: halved is '1e\+300'; allowed: a number from 0 to 64, whole"),
        ([kept("train_step", flops="abc")], "line 2: flops is 'abc'; allowed: a number from 0, or nothing"),
        ([kept("train_step", bytes="1e999")], "line 2: bytes is '1e999'"),
        ([kept("train_step", mfu="1_0")], "line 2: mfu is '1_0'"),
        ([kept("train_step", disturbed="TRUE")], "line 2: disturbed is 'TRUE'; allowed: true, false, or nothing"),
        ([kept("train_step", measured_at="")], "line 2: measured_at is ''"),
        ([kept("train_step", measured_at="garbage")], "line 2: measured_at is 'garbage'; allowed: a day and an hour"),
        ([kept("train_step", measured_at="2026-02-30T08:00:00Z")], "line 2: measured_at is '2026-02-30T"),
        ([kept("train_step", foreign_gpu_load=1.2)], "foreign_gpu_load is '1.2'; allowed: a number from 0 to 1, or"),
        ([kept("train_step"), kept("train_step")], "a.csv: line 3: train_step of d/a is in line 2 too"),
        (
            [kept("train_step"), kept("train_step", design="b", device_name="B")],
            "line 3: a reference is of one device, and this is of 'A GPU' and 'B'",
        ),
        ([kept("train_step", design="\x1b[2J")], r"line 2: design is '\\x1b\[2J'; allowed: printable text in one line"),
        ([kept("train_step", design="a\nb")], r"line 2: design is 'a\\nb'; allowed: printable text in one line"),
        ([kept("train_step", limits="a\0")], r"line 2: limits is 'a\\x00'; allowed: printable text in one line"),
    ],
)
def test_what_is_no_reference_has_no_summary(tmp_path, rows, said):
    with pytest.raises(InputError, match=said) as caught:
        told_of(tmp_path, *rows)
    assert str(caught.value).isprintable()


def test_a_reference_from_before_a_column_was_added_is_read_and_the_column_is_empty(tmp_path):
    path = tmp_path / "a.csv"
    write_table("measured", [kept("train_step", 64, foreign_gpu_load=0.01, core_to_core_ns=45.5)], path)
    gained = ("foreign_gpu_load", "core_to_core_ns")
    assert [[row[name] for name in gained] for row in read_reference(path)] == [["0.01", "45.5"]]
    lines = path.read_text().splitlines()
    assert lines[0].endswith(",foreign_gpu_load,core_to_core_ns")
    for lacks, left in ((1, ["0.01", ""]), (2, ["", ""])):
        path.write_text("".join(f"{line.rsplit(',', lacks)[0]}\n" for line in lines))
        (row,) = read_reference(path)
        assert ([row[name] for name in gained], row["median_s"]) == (left, "0.1")
    path.write_text("".join(f"{line.rsplit(',', 3)[0]}\n" for line in lines))
    with pytest.raises(InputError, match="no table of measured"):
        read_reference(path)


@pytest.mark.parametrize("change", [lambda line: line.rsplit(",", 5)[0], lambda line: line + 40 * ",x"])
def test_a_row_of_more_or_fewer_fields_than_there_are_columns_is_refused_and_nothing_is_printed(
    tmp_path, capsys, change
):
    path = tmp_path / "a.csv"
    write_table("measured", [kept("build"), kept("train_step", 64)], path)
    head, first, second = path.read_text().splitlines()
    path.write_text("\n".join([head, first, change(second)]) + "\n")
    with pytest.raises(InputError, match=r"a\.csv: line 3: more or fewer fields than the \d+ columns"):
        cli.run(["measured", "--summary", str(path)])
    assert not capsys.readouterr().out


def test_a_name_in_a_reference_ends_no_cell(tmp_path):
    lines = told_of(tmp_path, kept("train|step", 64), kept("train_step", 64, "a|b", limits="bytes 2/s | x"))
    assert any(line.startswith("| `train\\|step` |") for line in lines)
    assert any(line.startswith("| d | a\\|b |") for line in lines)
    tables = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables} == {7}


def test_a_summary_is_of_a_file_and_goes_with_nothing_else(tmp_path):
    with pytest.raises(InputError, match=r"a\.csv: no such file"):
        cli.run(["measured", "--summary", str(tmp_path / "a.csv")])
    for other in (["--results", "results/quick"], ["--target", "cpu"], ["--out", "b.csv"]):
        with pytest.raises(ConfigError, match=f"--summary and {other[0]} do not go together"):
            cli.run(["measured", "--summary", "a.csv", *other])
    with pytest.raises(InputError, match="needs --results results/<suite>, or --summary FILE"):
        cli.run(["measured"])


def test_the_methods_tell_what_the_command_prints_of_each_reference_that_ships(capsys):
    told = (ROOT / "docs/METHODS.md").read_text()
    for path in (ROOT / "baselines/measured").glob("*.csv"):
        cli.run(["measured", "--summary", str(path)])
        assert f"\n    vitalbench measured --summary {path.relative_to(ROOT)}\n\n{capsys.readouterr().out}" in told


def test_shares_beyond_the_operations_that_a_limit_allows_are_within_what_limits_vary():
    for path in (ROOT / "baselines/measured").glob("*-cpu-*.csv"):
        shares = [float(row["mfu"]) for row in read_table("measured", path) if row["mfu"]]
        assert 0 < min(shares) < max(shares) <= 1.05
