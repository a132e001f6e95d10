"""Every leak that is planted is found, and a clean split is called clean."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import leaky
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


# -- windows, folds, near-duplicates, statistics, groups ------------------------------------------------------------------------


def crossing_by_hand(table: pd.DataFrame) -> set[frozenset[str]]:
    """Every two windows of one recording in different splits that share time, each held against each."""
    rows = table[table["split"] != "unused"].to_dict("records")
    return {
        frozenset((a["record_id"], b["record_id"]))
        for a, b in itertools.combinations(rows, 2)
        if a["recording_id"] == b["recording_id"]
        and a["split"] != b["split"]
        and {a["split"], b["split"]} != {"pretrain", "train"}
        and max(a["start_s"], b["start_s"]) < min(a["end_s"], b["end_s"])
    }


WINDOW = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 12),
    st.integers(1, 6),
    st.sampled_from(["train", "val", "test", "unused", "pretrain"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(WINDOW, min_size=1, max_size=25))
def test_overlapping_windows_are_those_found_by_hand(rows):
    table = pd.DataFrame(
        {
            "record_id": [f"w{i}" for i in range(len(rows))],
            "patient_id": [f"p{i}" for i in range(len(rows))],
            "recording_id": [recording for recording, _, _, _ in rows],
            "start_s": [start / 2 for _, start, _, _ in rows],
            "end_s": [(start + length) / 2 for _, start, length, _ in rows],
            "split": [split for _, _, _, split in rows],
        }
    )
    _, pairs = audit(table)
    found = pairs[pairs["check"] == "window-overlap"]
    assert {frozenset(pair) for pair in zip(found["a"], found["b"], strict=True)} == crossing_by_hand(table)
    assert len(found) == len(crossing_by_hand(table))


def test_windows_that_touch_at_their_ends_share_no_time():
    assert leaks(leaky.windows(leaky=False)) == {}
    touching = CLEAN.assign(
        recording_id="a", start_s=[round(0.1 * i, 1) for i in range(9)], end_s=[0.1 * (i + 1) for i in range(9)]
    )
    assert (touching["end_s"].to_numpy()[:-1] > touching["start_s"].to_numpy()[1:]).any()  # by rounding
    assert leaks(touching) == {}


@pytest.mark.parametrize(
    ("table", "check"),
    [(leaky.windows(leaky=True), "window-overlap train-test"), (leaky.folds(leaky=True), "patient-overlap train-test")],
)
def test_a_leaky_table_is_refused_by_the_name_of_its_check(tmp_path, table, check):
    for name, write in (("t.csv", table.to_csv), ("t.parquet", table.to_parquet)):
        write(tmp_path / name, index=False)
        with pytest.raises(GateError, match=f"the split leaks: {check}: "):
            cli.run(["audit", "--records", str(tmp_path / name)])


def test_of_several_folds_the_leaky_one_is_named():
    checks, _ = audit(leaky.folds(leaky=True))
    assert {check.fold for check in checks if check.verdict == "leak"} == {"2"}
    assert leaks(leaky.folds(leaky=False)) == {}


def test_copies_that_cross_are_near_duplicates_unless_their_samples_are_the_same():
    copies = pd.DataFrame({"record_a": ["r8", "r1", "r2"], "record_b": ["r0", "r2", "r7"]})
    assert leaks(CLEAN, copies=copies) == {"near-duplicate train-test": 2}
    digests = pd.Series([f"d{i}" for i in range(9)], index=CLEAN["record_id"])
    digests["r8"] = digests["r0"]
    found = leaks(CLEAN, copies=copies, digests=digests)
    assert found == {"identical-samples train-test": 1, "near-duplicate train-test": 1}
    _, pairs = audit(CLEAN, copies=copies)
    assert pairs[["a", "b"]].to_numpy().tolist() == [["r0", "r8"], ["r2", "r7"]]


def test_statistics_may_be_fitted_on_training_records_alone(tmp_path):
    CLEAN.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "fitted.txt").write_text("record_id\nr0\nr4\n")
    command = ["audit", "--records", str(tmp_path / "t.csv"), "--fitted-on", str(tmp_path / "fitted.txt")]
    assert cli.run(command) == 0
    (tmp_path / "fitted.txt").write_text("r0\nr5\nr8\nstranger\n")
    with pytest.raises(GateError, match="statistics-outside-train train: 3"):
        cli.run([*command, "--pairs", str(tmp_path / "pairs.csv")])
    pairs = pd.read_csv(tmp_path / "pairs.csv")
    assert pairs[["a", "b"]].to_numpy().tolist() == [["r5", "val"], ["r8", "test"], ["stranger", "(no split)"]]


def test_a_column_can_say_what_statistics_were_fitted_on(tmp_path):
    CLEAN.assign(fitted_on=CLEAN["split"] != "test").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(GateError, match="statistics-outside-train train: 2"):
        cli.run(["audit", "--records", str(tmp_path / "t.csv")])
    CLEAN.assign(fitted_on="perhaps").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"row 1: column 'fitted_on' is 'perhaps'; allowed: false, true"):
        cli.run(["audit", "--records", str(tmp_path / "t.csv")])


def test_ids_without_their_namespace_are_the_same_records():
    table = CLEAN.assign(record_id="set/" + CLEAN["record_id"])
    checks, _ = audit(table, fitted_on={"set/r0"})
    assert checks[-1].verdict == "clean"


@pytest.mark.parametrize(("content", "message"), [("\n", "holds no record id"), (None, "not readable")])
def test_a_list_of_nothing_is_named(tmp_path, content, message):
    CLEAN.to_csv(tmp_path / "t.csv", index=False)
    if content is not None:
        (tmp_path / "f.txt").write_text(content)
    with pytest.raises(InputError, match=rf"f\.txt: {message}"):
        cli.run(["audit", "--records", str(tmp_path / "t.csv"), "--fitted-on", str(tmp_path / "f.txt")])


def test_groups_come_from_the_table_or_the_store_and_may_be_absent(small_store, tmp_path, capsys):
    records = pd.read_parquet(small_store.with_name("records.parquet"))
    split = pd.Series("train", index=records.index).where(records["strat_fold"] < 9, "test")
    table = records[["record_id", "patient_id"]].assign(split=split, ward=records["strat_fold"] % 2)
    table.to_csv(tmp_path / "t.csv", index=False)
    command = ["audit", "--records", str(tmp_path / "t.csv"), "--store", str(small_store)]
    assert cli.run([*command, "--group", "device,ward,site?,robot?"]) == 0
    out, told = capsys.readouterr()
    assert "no column 'robot' to look at; allowed: " in told
    assert "noted: shared-device train-test fold 0: 1 found" in out
    assert "noted: shared-ward train-test fold 0: 2 found" in out
    with pytest.raises(InputError, match=r"column 'devise' is not in the table.*nearest: device"):
        cli.run([*command, "--group", "devise"])


def test_an_empty_group_is_no_group():
    checks, _ = audit(CLEAN.assign(site=["", None] * 4 + [""]), groups=["site"])
    assert {check.verdict for check in checks if check.check == "shared-site"} == {"clean"}


def test_a_table_of_tabs_and_one_of_nothing(tmp_path):
    CLEAN.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    assert len(read_table(tmp_path / "t.tsv")) == 9
    CLEAN.iloc[:0].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="holds no row"):
        read_table(tmp_path / "t.csv")


def test_a_table_of_many_windows():
    """200,000 windows of 4,000 recordings, which overlap within their split only."""
    count = 200_000
    number = np.arange(count)
    table = pd.DataFrame(
        {
            "record_id": number.astype(str),
            "patient_id": (number // 50).astype(str),
            "recording_id": number // 50,
            "start_s": number % 50 * 5.0,
            "end_s": number % 50 * 5.0 + 10,
            "split": np.where(number // 50 % 5 == 0, "test", "train"),
        }
    )
    assert leaks(table) == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("record_id,patient_id,split,split\na,1,train,test\nb,2,train,train\n", "column 'split' stands there twice"),
        ("record_id,patient_id,split,recording_id,start_s\na,1,train,R,0\nb,2,test,R,0\n", "need the column 'end_s'"),
        ("record_id,patient_id,split,recording_id,start_s,end_s\na,1,train,,0,1\n", "column 'recording_id' is empty"),
    ],
)
def test_what_would_be_checked_by_half_is_refused(tmp_path, content, problem):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError, match=problem):
        read_table(tmp_path / "t.csv")


def test_one_split_alone_is_no_clean_split(tmp_path):
    (tmp_path / "t.csv").write_text("record_id,patient_id,split\na,1,train\nb,2,train\n")
    with pytest.raises(InputError, match="holds train only: there is nothing to hold it against"):
        read_table(tmp_path / "t.csv")


def test_ids_that_differ_in_writing_only_are_told(tmp_path):
    (tmp_path / "t.csv").write_text("record_id,patient_id,split\na,001,train\nb,1,test\nc,x/2.0,train\nd,X/2,test\n")
    checks, pairs = audit(read_table(tmp_path / "t.csv"))
    told = {check.check: (check.found, check.verdict) for check in checks}
    assert told["patient-lookalike"] == (2, "noted")
    assert told["patient-overlap"] == (0, "clean")
    assert pairs[["a", "b"]].to_numpy().tolist() == [["001", "1"], ["x/2.0", "X/2"]]
