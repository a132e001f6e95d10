"""The command `vitalbench evaluate`: what it writes, and one line for what it can not do."""

import pandas as pd
import pytest

from tests.unit.test_score import multilabel
from vitalbench import cli
from vitalbench.columns import TABLES
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import slices
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.run import evaluate_run, read_replicates
from vitalbench.files import write_json


def test_the_command_writes_the_contracts_columns(tmp_path):
    multilabel().to_csv(tmp_path / "p.csv", index=False)
    out = tmp_path / "m.csv"
    arguments = ["evaluate", str(tmp_path / "p.csv"), "--task", "multilabel", "--bootstrap", "150", "--out", str(out)]
    assert cli.run(arguments) == 0
    columns = "dataset task design target seed fold run_id split subgroup metric label value ci_low ci_high n_records n_patients"
    assert pd.read_csv(out).columns[:19].tolist() == [*columns.split(), "n_labels", "reason", "n_positive"]


def test_an_unknown_kind_and_an_unknown_ending(tmp_path):
    with pytest.raises(ConfigError, match="nearest: multilabel"):
        cli.run(["evaluate", "x.csv", "--task", "multilable", "--out", "m.csv"])
    (tmp_path / "p.pkl").write_bytes(b"")
    with pytest.raises(InputError, match=r"the ending is '\.pkl'"):
        cli.run(["evaluate", str(tmp_path / "p.pkl"), "--task", "multilabel", "--out", "m.csv"])


def test_a_patient_in_two_splits_is_warned_of(tmp_path, capsys):
    multilabel().assign(patient_id="p").to_csv(tmp_path / "p.csv", index=False)
    cli.run(
        [
            "evaluate",
            str(tmp_path / "p.csv"),
            "--task",
            "multilabel",
            "--bootstrap",
            "100",
            "--out",
            str(tmp_path / "m.csv"),
        ]
    )
    assert "1 patients are in more than one split" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bad", "ptbxl", "", "ptbxl/superdiagnostic/s4d/cpu/seed0-fold9"])
def test_a_cell_the_suite_has_not_is_one_line(tmp_path, configs, name):
    for path, content in slices(make_plan(configs, configs.knobs({})), configs, tmp_path).items():
        write_json(path, content)
    (suite,) = (path.parent.parent for path in tmp_path.rglob("config/suite.json"))
    with pytest.raises(InputError, match=r"no cell is named .*; allowed: \S+/\S+/\S+/cpu/seed") as caught:
        cli.run(["evaluate", "--results", str(suite), "--cell", name])
    assert "\n" not in str(caught.value)


def test_results_and_cell_go_together(tmp_path):
    with pytest.raises(ConfigError, match="--results and --cell are given together"):
        cli.run(["evaluate", "--results", str(tmp_path)])


def evaluated(folder, table: pd.DataFrame):
    """The replicates a run of these predictions keeps."""
    write_json(folder / "status.json", {"status": "measured", "run_id": "0"})
    table.to_parquet(folder / "predictions.parquet")
    write_json(folder / "config.json", {"design": {"recipe": "supervised"}})
    evaluate_run(folder, "multilabel", 100, 0)
    return read_replicates(folder)


def test_a_run_keeps_the_replicates_the_summary_says_it_has_intervals_from(tmp_path):
    (said,) = (column.meaning for column in TABLES["summary"][1] if column.name == "ci_low")
    kept = evaluated(tmp_path, multilabel())
    assert "empty for val, and for classes in subgroups" in said
    assert {key[0] for key in kept} == {"test"}
    assert {key[3] for key in kept if key[1] == "all"} == {"A", "B", "macro"}
    assert {key[3] for key in kept if key[1] != "all"} == {"macro"}


def test_designs_are_resampled_alike_whatever_else_their_files_hold(tmp_path):
    table = multilabel()
    changed = table.query("split == 'test'").assign(**{"y_prob:B": 0.5}).sample(frac=1, random_state=0)
    changed = changed[[*table.columns[:4], "y_true:B", "y_prob:B", "y_true:A", "y_prob:A"]]
    kept = []
    for name, predictions in (("a", table), ("b", changed)):
        (tmp_path / name).mkdir()
        kept.append(evaluated(tmp_path / name, predictions))
    key = ("test", "all", "auroc", "A")
    assert kept[0][key] == pytest.approx(kept[1][key], abs=1e-7)
