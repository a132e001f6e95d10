"""`vitalbench efficiency`: batches in turn, and the arithmetic that lays a training of a whole release out from them."""

import pytest

from vitalbench import cli
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.errors import ConfigError, GateError
from vitalbench.measure.efficiency import efficiency_rows
from vitalbench.measure.side_by_side import Batch, Measured, Sizes, take_turns
from vitalbench.report import page_tables
from vitalbench.results import Results
from vitalbench.tables import read_table, write_table

LARGER, SMALLER, FAST = DESIGNS = ["s4-36x256-plain", "s4-12x128-plain", "s4-12x128-random"]


@pytest.fixture
def laid_out(configs):
    """Three designs with batches that are easily reckoned with; the second's first round was a slow one."""
    sizes = Sizes(4_004_613, 34_309, 5_631_717, 2**20)
    taken = {LARGER: [(0, 54)] * 3, SMALLER: [(0, 27), (0, 13.5), (0, 13.5)], FAST: [(2.7, 0)] * 3}
    measured = {
        name: Measured(sizes, [Batch(features, step, 0.5) for features, step in of], 1000.0)
        for name, of in taken.items()
    }
    return list(efficiency_rows({name: configs.design(name, "full") for name in DESIGNS}, measured, 17_418))


def test_hours_are_steps_times_the_median_and_say_projected(laid_out):
    larger, smaller, fast = laid_out
    assert [row["steps_an_epoch"] for row in laid_out] == [1089, 545, 545]
    assert larger["epoch_h"] == pytest.approx(1089 * 54 / 3600)
    assert smaller["training_h"] == pytest.approx(10 * 545 * 13.5 / 3600)
    assert fast["epoch_h"] == fast["training_h"] == pytest.approx(545 * 2.7 / 3600)
    assert {row["basis"] for row in laid_out} == {"projected"}


def test_each_design_is_held_against_the_one_before_it_a_round_at_a_time(laid_out):
    larger, smaller, fast = laid_out
    assert "over" not in larger
    assert (smaller["over"], fast["over"]) == (LARGER, SMALLER)
    assert [smaller[name] for name in ("batch_times_low", "batch_times", "batch_times_high")] == [2, 4, 4]
    assert smaller["record_times"] == 8
    assert [fast[name] for name in ("batch_times_low", "batch_times", "batch_times_high")] == [5, 5, 10]
    assert fast["training_times"] == pytest.approx(50)


def test_nothing_is_projected_of_a_release_that_nobody_declares(configs):
    measured = Measured(Sizes(1, 1, 1, 1), [Batch(0, 1.0, None)], 1.0)
    row = next(efficiency_rows({SMALLER: configs.design(SMALLER, "full")}, {SMALLER: measured}, None))
    assert not {"epoch_h", "training_h", "basis"} & set(row)
    assert row["foreign_load"] is None


def test_a_suite_lays_out_designs_that_it_does_not_train_and_the_page_shows_them(configs, laid_out, tmp_path):
    plan = make_plan(configs, configs.knobs({"suite": "report-002"}))
    assert LARGER in plan.designs
    assert LARGER not in {planned.cell.design for planned in plan.cells}
    write_slices(plan, configs, tmp_path)
    results = Results(tmp_path / "report-002")
    write_table("efficiency", laid_out, results.table("efficiency"))
    shown = page_tables.efficiency_rows(results)
    assert [row[0] for row in shown] == DESIGNS
    assert shown[1][2:4] == ["13.5 s, 13.5 s to 27 s", "4.00, 2.00 to 4.00"]
    assert shown[2][6:9] == ["50.0", "4,004,613", "5,631,717"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--design", "prevalence", "--dataset", "ptbxl"], "'prevalence' has no model to train"),
        (["--design", "s4-12x128-plan", "--dataset", "ptbxl"], "nearest: s4-12x128-plain"),
        (["--design", "s4d", "--dataset", "ptbxl", "--rounds", "0"], "--rounds 0: allowed: 1 or more"),
        (["--design", "s4d"], "needs --design NAME"),
    ],
)
def test_what_cannot_be_laid_out_is_told_in_one_line(given, said):
    with pytest.raises(ConfigError) as caught:
        cli.run(["efficiency", *given])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_suite_that_names_no_such_design_is_refused(project):
    from vitalbench.config.folder import ConfigFolder

    path = project / "configs/suites/report-002.yaml"
    path.write_text(path.read_text().replace("s4-36x256-plain", "s4-36x256-plan"))
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=r"report-002\.yaml: efficiency: no design is named 's4-36x256-plan'"):
        make_plan(folder, folder.knobs({"suite": "report-002"}))


@pytest.mark.slow
def test_designs_take_their_steps_in_processes_of_their_own(tmp_path):
    """At their small size: what is kept of a frozen encoder is told apart from the step, and sizes are the model's."""
    out = tmp_path / "efficiency.csv"
    given = ["--design", SMALLER, FAST, "--dataset", "ptbxl", "--size", "small", "--rounds", "2", "--out", str(out)]
    assert cli.run(["efficiency", *given]) == 0
    plain, fast = read_table("efficiency", out)
    assert plain["features_s"] == ""
    assert 0 < float(fast["features_s"]) < float(fast["batch_high_s"])
    assert plain["parameters"] == fast["parameters"]
    assert int(plain["trained"]) == 16 * 256 + 256 + 256 * 5 + 5
    assert 4 * int(plain["numbers"]) / 2**20 < float(plain["file_mib"]) < 5 * int(plain["numbers"]) / 2**20
    assert float(plain["peak_memory_mb"]) > 100


@pytest.mark.slow
def test_a_process_that_ends_while_it_is_measured_is_told(configs):
    design = configs.design("s4d", "small")
    broken = design.model_copy(update={"model": design.model.model_copy(update={"options": {"width": -1}})})
    dataset, task, target = configs.dataset("ptbxl"), configs.task("superdiagnostic"), configs.target("cpu")
    with pytest.raises(GateError, match="broken: its process ended with 1 while it was measured"):
        take_turns({"broken": broken}, dataset, task, target, 1)
