"""Cells whose target is not here: projected from what was measured, in tables and columns of their own."""

import csv
import math
import shutil

import pytest

from tests.conftest import resolved
from vitalbench import cli
from vitalbench.config.published import Device
from vitalbench.cost.sheets import sheet_of
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.time_ratio import spent_by_design
from vitalbench.files import read_json, write_json
from vitalbench.layout import MEASUREMENT, RUN, SUITE_SLICE
from vitalbench.measure.phases import Phase
from vitalbench.report.cost_tables import projected_rows, projected_steps, projection_errors, unpriced
from vitalbench.report.tables import timing_rows
from vitalbench.results import Results
from vitalbench.tables import number, read_table, write_table

CELL = {"dataset": "ptbxl", "task": "superdiagnostic", "design": "s4d", "target": "cpu", "seed": 0, "fold": 0}
PLACE = "s4d/{target}/seed0-fold0"
LIMITS = {"flops": {"rate": 0.25e12, "source": "measured"}, "bytes": {"rate": 20e9, "source": "measured"}}


def phase(name: str, seconds: list[float], **more) -> dict:
    return Phase(name, seconds, items=32, batch_size=32, exclusive=True, limits=LIMITS, **more).to_json()


@pytest.fixture
def suite(project, monkeypatch):
    """The suite quick, of which one cell was measured."""
    monkeypatch.chdir(project)
    resolved(project)
    results = project / "results/quick"
    run = results / RUN.format(**CELL)
    write_json(run / "status.json", {"status": "measured", "reason": "", "run_id": "abc"})
    write_json(run / "timing.json", {"phases": [{"name": "epoch", "items": 3200}]})
    write_json(run / "provenance.json", {"facts": {"steps": 1000, "steps_an_epoch": 100}})
    phases = [phase("train_step", [0.9, 1.0, 1.1]), phase("inference", [0.32] * 3)]
    write_json(results / MEASUREMENT.format(**CELL), {"device_name": "a cpu", "phases": phases})
    return results


def rows_of(suite, **wanted) -> list[dict[str, str]]:
    table = "projected" if "phase" in wanted and wanted["phase"] == "train_step" else "cost"
    rows = read_table(table, suite / f"tables/{table}.csv")
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_a_measured_cell_is_projected_from_a_cpu_by_the_ratio_of_peaks(suite):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    found = {row["target"]: row for row in rows_of(suite, phase="train_step")}
    assert set(found) == {"a100-40", "h100", "rtx4090"}
    step = found["h100"]
    assert float(step["projected_s"]) == pytest.approx(1.0 * 0.25 / 66.9)
    assert float(step["projected_low_s"]) < 0.9 * 0.25 / 66.9 < 1.1 * 0.25 / 66.9 < float(step["projected_high_s"])
    assert (step["projected_from"], step["from_device"], step["basis"]) == ("cpu", "a cpu", "projected")
    assert (step["by"], step["projected_to"], step["outside"]) == ("peaks", "NVIDIA H100 80GB HBM3", "")
    fast = [row for row in read_table("projected", suite / "tables/projected.csv") if row["phase"] == "inference"]
    assert all(
        row["outside"].startswith("shorter than any published step, 1.9 ms") for row in fast if row["target"] == "h100"
    )
    assert found["rtx4090"]["projected_to"] == "rtx4090"  # no fp32 times of it were published
    assert found["rtx4090"]["outside"].startswith("no time of rtx4090 was published")


def test_what_no_published_time_speaks_for_is_marked_in_what_it_costs_too(suite):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    rows = [row for row in rows_of(suite, phase="inference_1000", sku="p5.48xlarge") if row["target"] == "h100"]
    assert [row["outside"][:37] for row in rows] == ["shorter than any published step, 1.9 "]
    assert {row["outside"] for row in rows_of(suite, phase="train", target="h100")} == {""}
    assert {row["outside"] for row in rows_of(suite, basis="measured", phase="train")} == {""}
    shown = [row for row in projected_rows(Results(suite)) if row[1] == "h100"]
    assert all(row[-1].startswith("shorter than any published step") for row in shown)


def test_projected_costs_are_rows_of_their_own(suite):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    measured = rows_of(suite, basis="measured", phase="train")
    assert {row["target"] for row in measured} == {"cpu"}
    away = rows_of(suite, basis="projected", phase="train", target="h100", sku="p5.48xlarge")
    assert [row["run_id"] for row in away] == [""]
    assert float(away[0]["hours"]) == pytest.approx(1000 * 0.25 / 66.9 / 3600)
    assert float(away[0]["usd"]) == pytest.approx(float(away[0]["hours"]) * 55.04)
    assert float(away[0]["usd_low"]) < float(away[0]["usd"]) < float(away[0]["usd_high"])
    assert not [row for row in measured if row["projected_from"]]


def test_what_a_design_starts_from_is_a_phase_of_its_own_and_in_no_run(suite):
    """Here and projected: the whole run of the other design's cell."""
    first = CELL | {"design": "xresnet1d101"}
    shutil.copytree(suite / RUN.format(**CELL), suite / RUN.format(**first))
    (suite / MEASUREMENT.format(**first)).parent.mkdir(parents=True)
    shutil.copy(suite / MEASUREMENT.format(**CELL), suite / MEASUREMENT.format(**first))
    path = suite / SUITE_SLICE
    told = read_json(path)
    told["designs"]["s4d"]["pretrained"] = "xresnet1d101"
    write_json(path, told)
    assert cli.run(["cost", "--results", str(suite)]) == 0
    for basis, target, sku in (("measured", "cpu", ""), ("projected", "h100", "p5.48xlarge")):
        rows = [row for row in rows_of(suite, basis=basis, target=target) if row["sku"] == (sku or row["sku"])]
        hours = {(row["design"], row["phase"]): float(row["hours"]) for row in rows}
        assert hours["s4d", "pretraining"] == hours["xresnet1d101", "run"] > 0
        assert hours["s4d", "run"] == hours["xresnet1d101", "run"]
        assert ("xresnet1d101", "pretraining") not in hours


def test_the_matrix_says_projected_and_not_run_once_its_origin_failed(suite):
    assert {
        r.status for r in Results(suite).cells if (r.cell.design, r.cell.target, r.cell.seed) == ("s4d", "h100", 0)
    } == {"projected"}
    other = [r for r in Results(suite).cells if (r.cell.design, r.cell.target, r.cell.seed) == ("s4d", "h100", 1)]
    assert [(r.status, "whose cell is not-run" in r.reason) for r in other] == [("not-run", True)]


def test_a_cell_is_projected_from_the_next_target_where_the_first_one_came_to_nothing(suite):
    """Planned from a GPU before a CPU; the GPU's cell failed, so the CPU's stands in its place, and the row says so."""
    path = suite / SUITE_SLICE
    told = read_json(path)
    first = {"target": "a100-80"}
    told["targets"]["a100-80"] = told["targets"]["h100"]
    for planned in [planned for planned in told["cells"] if planned["cell"]["target"] == "cpu"]:
        told["cells"].append(planned | {"cell": planned["cell"] | first})
    for planned in told["cells"]:
        if planned.get("projected_from"):
            planned["projected_from"] = ["a100-80", "cpu"]
    write_json(path, told)
    run = suite / RUN.format(**CELL | first)
    write_json(run / "status.json", {"status": "failed", "reason": "planted", "run_id": "b"})
    assert fate(suite, "h100").reason == "target h100 is not here: projected from cpu, since a100-80's cell is failed"
    assert cli.run(["cost", "--results", str(suite)]) == 0
    assert {row["projected_from"] for row in rows_of(suite, target="h100", phase="train")} == {"cpu"}
    (suite / MEASUREMENT.format(**CELL)).unlink()
    assert fate(suite, "h100").status == "not-run"
    assert fate(suite, "h100").reason == (
        "to be projected from a100-80, whose cell is failed, or from cpu, whose cell is measured, and has no step that was timed"
    )


def test_a_cell_that_needs_more_memory_than_the_absent_target_has_is_not_projected(suite):
    path = suite / RUN.format(**CELL) / "provenance.json"
    needed = 30e9  # between the rtx4090's 24 GB and the a100-40's
    write_json(path, {"facts": read_json(path)["facts"] | {"memory": {"needed": needed}}})
    fates = {run.cell.target: run for run in Results(suite).cells if run.cell.design == "s4d" and run.cell.seed == 0}
    assert {name: run.status for name, run in fates.items() if name != "cpu"} == {
        "a100-40": "projected", "h100": "projected", "rtx4090": "not-allowed",
    }  # fmt: skip
    assert fates["rtx4090"].reason == "memory: 30 GB, as cpu needed, of 24 GB declared"
    assert cli.run(["cost", "--results", str(suite)]) == 0
    assert not rows_of(suite, target="rtx4090", design="s4d", seed="0")


def declared(suite, target: str, **keys: float) -> None:
    """Let a target of the suite declare more."""
    path = suite / SUITE_SLICE
    told = read_json(path)
    told["targets"][target] |= keys
    write_json(path, told)


def fate(suite, target: str):
    (found,) = (
        run
        for run in Results(suite).cells
        if run.cell.target == target and run.cell.path.endswith(PLACE.format(target=target))
    )
    return found


def test_a_cell_whose_checkpoints_do_not_fit_the_disk_of_the_absent_target_is_not_projected(suite):
    path = suite / RUN.format(**CELL) / "provenance.json"
    disk = {"store": 2e9, "checkpoint": 1e9, "checkpoints": 4, "needed": 6e9}
    write_json(path, {"facts": read_json(path)["facts"] | {"disk": disk}})
    declared(suite, "h100", disk_gb=5.9)
    declared(suite, "a100-40", disk_gb=6.0)
    assert fate(suite, "h100").status == "not-allowed"
    assert fate(suite, "h100").reason == "disk: store 2 + 4 x checkpoint 1 = 6 GB, as cpu needed, of 5.9 GB declared"
    assert fate(suite, "a100-40").status == "projected"
    assert cli.run(["cost", "--results", str(suite)]) == 0
    assert not rows_of(suite, target="h100", design="s4d", seed="0")


@pytest.mark.parametrize(
    ("share", "status", "said"),
    [
        (0.99, "not-allowed", "even the low end is longer"),
        (1.01, "projected", "doubtful: of the interval only the low end is shorter"),
        (10, "projected", "doubtful: the high end of the interval is longer"),
        (1000, "projected", ""),
    ],
)
def test_a_projected_training_is_held_against_the_sessions_of_its_target(suite, share, status, said):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    step = rows_of(suite, phase="train_step", target="h100")[0]
    low = 1000 * float(step["projected_low_s"]) / 3600
    declared(suite, "h100", session_hours=low * share)
    assert fate(suite, "h100").status == "projected"  # nothing has been projected of these sessions yet
    assert cli.run(["cost", "--results", str(suite)]) == 0
    found = fate(suite, "h100")
    assert found.status == status
    assert ("session: 1,000 steps x " in found.reason) == bool(said)
    assert found.reason.endswith(said)
    assert bool(rows_of(suite, phase="train_step", target="h100")) == (status == "projected")
    declared(suite, "h100", session_hours=1e6)  # what was said of other sessions says nothing
    assert fate(suite, "h100").reason == "target h100 is not here: projected from cpu"
    assert cli.run(["cost", "--results", str(suite)]) == 0
    assert rows_of(suite, phase="train_step", target="h100")


def test_an_alarm_that_can_hold_nothing_is_refused(suite):
    asked = ["cost", "--results", str(suite), "--budget", "1"]
    for beside, said in (
        (["--reach", "0.7"], "--reach and --budget do not go together"),
        (["--out", "x.csv"], "--budget and --out do not go together"),
    ):
        with pytest.raises(ConfigError, match=said):
            cli.run([*asked, *beside])
    with pytest.raises(ConfigError, match="--reach and --epochs do not go together"):
        cli.run(["cost", "--results", str(suite), "--reach", "0.7", "--epochs", "2"])
    path = suite / MEASUREMENT.format(**CELL)
    write_json(path, {"device_name": "a cpu", "phases": []})
    with pytest.raises(InputError, match="no training of it has a price"):
        cli.run(asked)


def test_a_training_of_another_size_is_projected_too(suite, capsys):
    assert cli.run(["cost", "--results", str(suite), "--records", "3200", "--epochs", "2"]) == 0
    rows = [row for row in csv.DictReader(capsys.readouterr().out.splitlines()) if row["phase"] == "train"]
    away = [float(row["hours"]) for row in rows if row["target"] == "h100"]
    assert away == pytest.approx(
        [200 * 0.25 / 66.9 / 3600] * len(Results(suite).target("h100").prices)
    )  # a row a price


def test_without_rates_of_the_cpu_there_is_one_line(suite):
    path = suite / MEASUREMENT.format(**CELL)
    left = read_json(path)
    for told in left["phases"]:
        told["limits"] = {}
    write_json(path, left)
    with pytest.raises(InputError, match="no rates of the device"):
        cli.run(["cost", "--results", str(suite)])


def test_the_page_tells_what_is_projected_and_how_far_off_that_is(suite):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    (suite / "tables/projection.csv").write_text(
        "left_out,source,projected_to,times,projected_error,blend_error,peak_error,bandwidth_error,held,pairs,held_by_pair,pairs_held\n"
        "device,all,all,2,0.1,0.2,0.3,0.4,0.9,7,0.81,0.71\ndevice,A,B,2,0.1,0.2,0.3,0.4,0.9,,,\n"
    )
    results = Results(suite)
    shown = projected_rows(results)
    assert {row[1] for row in shown} == {"a100-40", "h100"}
    prices = sum(len(results.target(name).prices) for name in ("a100-40", "h100"))
    assert len(shown) == len({tuple(row[:3]) for row in shown}) == prices  # spot and on demand apart
    steps = [row for row in projected_steps(results) if row[3] == "train_step"]
    assert [row[1] for row in steps] == ["a100-40", "h100", "rtx4090"]
    assert steps[1][5] == "1 s on cpu, a cpu"
    assert unpriced(results) == "rtx4090"
    errors = projection_errors(results)
    assert errors is not None
    assert errors.whole == [
        ["the GPU projected to", "2", "10.0%", "20.0%", "30.0%", "40.0%", "90.0%", "81.0%", "71% of 7"]
    ]
    assert errors.pairs[0][1:3] == ["A", "B"]


def test_a_target_stands_for_the_device_with_published_times_or_for_its_own_sheet(configs):
    known = {"NVIDIA H100 80GB HBM3": Device("NVIDIA H100 80GB HBM3", 66.9, 3350)}
    assert sheet_of("h100", configs.target("h100"), known) is known["NVIDIA H100 80GB HBM3"]
    assert sheet_of("h200", configs.target("h200"), known) == Device("h200", 67, 4800)
    assert sheet_of("cpu", configs.target("cpu"), known) is None


def test_a_spot_price_is_another_price_than_the_same_machine_on_demand(suite):
    row = {**CELL, "run_id": "abc", "phase": "train", "provider": "p", "sku": "m", "basis": "measured", "hours": 2.0}
    rows = [row | {"purchase": "on-demand", "usd": 8.0}, row | {"purchase": "spot", "usd": 2.0}]
    away = row | {"target": "h100", "basis": "projected", "purchase": "on-demand", "usd": 1.0}
    write_table("cost", [*rows, away], suite / "tables/cost.csv")
    write_table("timing", [], suite / "tables/timing.csv")
    (spent,) = spent_by_design(Results(suite)).values()  # and what is projected is no time of a design
    assert (spent.hours, spent.usd) == (2.0, 8.0)


def test_the_features_of_a_training_count_with_its_steps_in_what_its_time_is_worth(suite):
    """Two thirds of the hours: their noise is most of the floor, and where they were disturbed there is no ratio."""
    run = suite / RUN.format(**CELL)
    write_json(run / "timing.json", {"device_name": "a cpu", "phases": []})
    facts = {"steps": 1000, "steps_an_epoch": 100, "featured_records": 64000}
    write_json(run / "provenance.json", {"facts": facts})
    beside = {"reference": [0.001] * 22}
    for disturbed in (False, True):
        phases = [
            phase("train_step", [1.0, 1.01] * 11, **beside),
            phase("features", [1.0, 1.3] * 11, disturbed=disturbed, **beside),
        ]
        write_json(suite / MEASUREMENT.format(**CELL), {"device_name": "a cpu", "phases": phases})
        assert cli.run(["cost", "--results", str(suite)]) == 0
        write_table("timing", timing_rows(Results(suite)), suite / "tables/timing.csv")
        floors = [number(row["noise_floor"]) for row in read_table("timing", suite / "tables/timing.csv")]
        (spent,) = spent_by_design(Results(suite)).values()
        step, features = 1000 * 1.005, 64000 / 32 * 1.15
        assert spent.hours == pytest.approx((step + features) / 3600)
        if disturbed:
            assert floors[1] is None
            assert spent.floor is None
            assert spent.no_ratio.startswith("features was disturbed")
            continue
        shares = step / (step + features), features / (step + features)
        assert spent.floor == pytest.approx(math.hypot(shares[0] * floors[0], shares[1] * floors[1]))
        assert floors[0] < 0.02 < 0.15 < spent.floor
        assert not spent.no_ratio


def test_what_was_timed_beside_other_work_becomes_no_cost_and_is_named(suite, capsys):
    path = suite / MEASUREMENT.format(**CELL)
    left = read_json(path)
    left["phases"][0]["exclusive"] = False
    write_json(path, left)
    assert cli.run(["cost", "--results", str(suite)]) == 0
    assert {row["phase"] for row in rows_of(suite, basis="measured")} == {"inference_1000"}
    assert {row["phase"] for row in rows_of(suite, basis="projected")} == {"inference_1000"}
    said = capsys.readouterr().err
    assert "no cost of train_step, which other work may have run beside (exclusive is false)" in said
    assert "--measurement ptbxl/superdiagnostic/s4d/cpu --exclusive" in said
    write_json(path, left | {"phases": [told | {"exclusive": False} for told in left["phases"]]})
    assert cli.run(["cost", "--results", str(suite)]) == 0
    assert not rows_of(suite)
