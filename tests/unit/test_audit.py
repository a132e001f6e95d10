"""Every leak that is planted is found, and a clean split is called clean."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitalbench import cli
from vitalbench.errors import GateError, InputError
from vitalbench.split.audit import audit, read_table, receipt

CLEAN = pd.DataFrame(
    {
        "record_id": [f"r{i}" for i in range(9)],
        "patient_id": [f"p{i}" for i in range(9)],
        "split": ["train"] * 5 + ["val"] * 2 + ["test"] * 2,
    }
)


def leaks(table: pd.DataFrame, **more) -> dict[str, int]:
    checks, _ = audit(table, **more)
    return {f"{check.check} {check.split}": check.found for check in checks if check.verdict == "leak"}


def test_a_clean_split_is_clean():
    assert leaks(CLEAN) == {}


def test_a_patient_in_two_splits():
    table = CLEAN.assign(patient_id=["p8", *CLEAN["patient_id"][1:]])
    assert leaks(table) == {"patient-overlap train-test": 1}


def test_a_record_in_two_splits():
    table = pd.concat([CLEAN, CLEAN.iloc[[0]].assign(split="test", patient_id="p77")])
    assert leaks(table) == {"record-overlap train-test": 1}


def test_the_same_samples_under_another_name():
    digests = pd.Series([f"d{i}" for i in range(9)], index=CLEAN["record_id"])
    assert leaks(CLEAN, digests=digests) == {}
    digests["r0"] = digests["r8"]
    assert leaks(CLEAN, digests=digests) == {"identical-samples train-test": 1}


def test_windows_of_one_recording_that_overlap_in_time():
    windows = CLEAN.assign(
        recording_id="a", start_s=[10.0 * i for i in range(9)], end_s=[10.0 * i + 10 for i in range(9)]
    )
    assert leaks(windows) == {}
    windows.loc[4, "end_s"] = 75.0
    assert leaks(windows) == {"window-overlap train-val": 2, "window-overlap train-test": 1}
    assert leaks(windows.assign(recording_id=windows["record_id"])) == {}


def test_pretraining_patients_may_be_trained_on_but_not_tested():
    table = pd.concat([CLEAN, pd.DataFrame({"record_id": ["x"], "patient_id": ["p0"], "split": ["pretrain"]})])
    assert leaks(table) == {}
    assert leaks(table.assign(patient_id=table["patient_id"].replace("p0", "p8"))) != {}


def test_several_folds_are_each_audited():
    table = CLEAN.rename(columns={"split": "split:0"}).assign(**{"split:1": CLEAN["split"]})
    table.loc[0, "patient_id"] = "p8"
    table.loc[8, "split:1"] = "unused"
    checks, _ = audit(table)
    assert {check.fold for check in checks} == {"0", "1"}
    assert {check.fold for check in checks if check.verdict == "leak"} == {"0"}


def test_a_shared_site_is_noted_not_refused():
    checks, _ = audit(CLEAN.assign(site="one"), groups=["site"])
    assert {check.verdict for check in checks if check.check == "shared-site"} == {"noted"}
    assert receipt(checks, "x", None)["verdict"] == "clean"


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["train", "val", "test", "unused"])), min_size=1, max_size=40
    )
)
def test_found_if_and_only_if_there(rows):
    table = pd.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(len(rows))],
            "patient_id": [f"p{p}" for p, _ in rows],
            "split": [s for _, s in rows],
        }
    )
    used = table[table["split"] != "unused"]
    crosses = bool((used.groupby("patient_id")["split"].nunique() > 1).any())
    assert bool(leaks(table)) == crosses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient_id,split\np,train\n", "column 'record_id' is missing"),
        ("record_id,patient_id,split\nr,,train\n", "row 1: column 'patient_id' is empty"),
        ("record_id,patient_id,split\nr,p,trian\n", "nearest: train"),
        ("record_id,patient_id,fold\nr,p,1\n", "no column 'split'"),
        ("record_id,patient_id,split\nr,p,\n", "holds '\\(empty\\)'|holds ''"),
    ],
)
def test_a_table_that_cannot_be_audited_is_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_table(tmp_path / "t.csv")
    assert "t.csv" in str(caught.value)


def test_the_command_ends_with_1_on_a_leak_and_names_the_pairs(tmp_path, capsys):
    CLEAN.to_csv(tmp_path / "clean.csv", index=False)
    CLEAN.assign(patient_id="p").to_csv(tmp_path / "leak.csv", index=False)
    assert cli.run(["audit", "--records", str(tmp_path / "clean.csv")]) == 0
    assert "clean: " in capsys.readouterr().out
    with pytest.raises(GateError, match="leaks") as caught:
        cli.run(["audit", "--records", str(tmp_path / "leak.csv"), "--pairs", str(tmp_path / "pairs.csv")])
    assert caught.value.exit_code == 1
    assert set(pd.read_csv(tmp_path / "pairs.csv")["a"]) == {"p"}


def test_windows_with_impossible_times_are_refused(tmp_path):
    CLEAN.assign(recording_id="a", start_s=5, end_s=1).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="end_s after start_s"):
        cli.run(["audit", "--records", str(tmp_path / "t.csv")])
