"""A dated reference holds what measuring jobs timed, by whom and when, of one device; it is never written over."""

import pytest

from tests.conftest import resolved
from tests.unit.test_absent import CELL, phase
from vitalbench import cli
from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import MEASUREMENT
from vitalbench.tables import read_table

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


def test_a_target_that_nothing_was_timed_on_names_the_next_command(results):
    with pytest.raises(InputError, match=r"nothing was timed on target 'h100'; next: snakemake --cores all measure"):
        cli.run(["measured", "--results", "results/quick", "--target", "h100"])
    with pytest.raises(InputError, match=r"the suite has no target 'h10'; allowed: .*; nearest: h100"):
        cli.run(["measured", "--results", "results/quick", "--target", "h10"])
