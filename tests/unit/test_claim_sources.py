"""What is counted in a whole release, what designs side by side give, and what is projected from them."""

from types import SimpleNamespace

import pandas as pd
import pytest

from vitalbench.claims.counted import add_counted, add_saving
from vitalbench.claims.facts import Facts
from vitalbench.claims.ledger import judge
from vitalbench.claims.side_by_side import add_efficiency
from vitalbench.claims.sources import declared_facts
from vitalbench.config.claims_file import Claim
from vitalbench.config.published import parse_published, published_texts
from vitalbench.cost.projector import Projector
from vitalbench.cost.sheets import sheets_of
from vitalbench.errors import InputError
from vitalbench.files import write_json
from vitalbench.tables import read_table, write_table

H100 = "projected.ptbxl.efficiency.h100.fast.batch_s"
BATCHES = {"rounds": 3, "batch_s": 2.0, "batch_low_s": 1.0, "batch_high_s": 3.0, "epoch_h": 0.4, "training_h": 4.0}


def efficiency(folder, target="cpu", tf32=False, precision="fp32"):
    common = {"dataset": "ptbxl", "size": "full", "target": target} | BATCHES
    slow = common | {"design": "slow"}
    times = {"over": "slow", "batch_times": 4.0, "batch_times_low": 3.0, "batch_times_high": 5.0, "training_times": 8.0}
    write_table("efficiency", [slow, common | {"design": "fast"} | times], folder / "efficiency.csv")
    designs = {name: {"train": {"precision": precision}} for name in ("slow", "fast")}
    suite = {"designs": designs, "targets": {target: {"tf32": tf32}}}
    return SimpleNamespace(table=lambda name: folder / f"{name}.csv", suite=suite)


def test_hours_of_a_training_are_projected_as_far_apart_as_its_batches(tmp_path):
    facts = Facts()
    add_efficiency(facts, efficiency(tmp_path))
    name = "projected.ptbxl.efficiency.cpu.fast"
    assert (facts.numbers[f"{name}.training_h"], facts.intervals[f"{name}.training_h"]) == (4.0, (2.0, 6.0))
    assert (facts.numbers[f"{name}.training_times.slow"], facts.intervals[f"{name}.training_times.slow"]) == (
        8,
        (6, 10),
    )
    assert not [fact for fact in facts.numbers if fact.startswith("measured.") and fact.endswith("_h")]


@pytest.mark.parametrize(
    ("column", "text", "told"),
    [
        ("rounds", "x1", "'x1' where a number belongs"),
        ("batch_low_s", "", r"efficiency\.csv: slow on cpu: batch_low_s is empty"),
        ("batch_times", "", r"efficiency\.csv: fast on cpu: batch_times is empty"),
    ],
)
def test_a_damaged_number_of_designs_side_by_side_is_an_input_error(tmp_path, column, text, told):
    results = efficiency(tmp_path)
    damaged = [row | {column: text} for row in read_table("efficiency", tmp_path / "efficiency.csv")]
    write_table("efficiency", damaged, tmp_path / "efficiency.csv")
    with pytest.raises(InputError, match=told):
        add_efficiency(Facts(), results)


def test_fewer_rounds_than_three_have_no_spread_to_be_judged_by(tmp_path, monkeypatch):
    monkeypatch.setitem(BATCHES, "rounds", 2)
    monkeypatch.setitem(BATCHES, "parameters", 7)
    facts = Facts()
    add_efficiency(facts, efficiency(tmp_path))
    assert facts.numbers["measured.ptbxl.efficiency.cpu.fast.parameters"] == 7
    assert not [fact for fact in facts.numbers if "batch_s" in fact or "times" in fact or fact.startswith("projected.")]


def test_a_gpu_that_is_not_here_gets_the_batches_of_one_that_is(tmp_path, configs):
    facts = Facts()
    add_efficiency(facts, efficiency(tmp_path, "a100-40"), configs, [H100])
    known, timings = parse_published(published_texts(configs.path), configs.path)
    sheets, meant = sheets_of({name: configs.target(name) for name in configs.names("targets")}, known)
    told = Projector(timings, sheets).project(meant["a100-40"], meant["h100"])
    name = "projected.ptbxl.efficiency.h100.fast.batch_s"
    assert facts.numbers[name] == pytest.approx(2.0 * told.ratio)
    assert facts.intervals[name] == pytest.approx((1.0 * told.low, 3.0 * told.high))
    assert facts.intervals[name][0] < facts.numbers[name] < facts.intervals[name][1]
    assert "projected.ptbxl.efficiency.a100-40.fast.batch_s" not in facts.numbers
    row = judge(
        Claim(
            id="c",
            location="l",
            text="t",
            reported=1.0,
            tolerance=9.0,
            unit="s",
            method="projection",
            check="projected.ptbxl.efficiency.h100.fast.batch_s",
        ),
        facts,
    )
    assert row["verdict"] == "projected"
    assert "published fp32 times" in row["evidence"]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"target": "cpu"}, "no published time connects cpu with h100"),
        ({"target": "a100-40", "precision": "bf16"}, "'fast' was timed in bf16"),
        ({"target": "a100-40", "tf32": True}, "which target 'a100-40' allows"),
    ],
)
def test_what_cannot_be_projected_says_why(tmp_path, configs, made, why):
    facts = Facts()
    add_efficiency(facts, efficiency(tmp_path, **made), configs, [H100])
    check = "projected.ptbxl.efficiency.h100.fast.batch_s"
    row = judge(Claim(id="c", location="l", text="t", reported=1.0, unit="s", method="projection", check=check), facts)
    assert row["verdict"] == "not-run"
    assert why in row["reason"]


def release(folder, complete):
    records = pd.DataFrame(
        {"record_id": ["a", "b", "c"], "patient_id": ["1", "1", "2"], "labels:s": [["X"], ["X", "Y"], []]}
    )
    records.to_parquet(folder / "records.parquet")
    (folder / "store.h5").touch()
    write_json(folder / "manifest.json", {"release": {"complete": complete, "source": "local", "records": 3}})
    pd.DataFrame({"record_id": ["a", "b", "c"], "split": ["train", "train", "test"]}).to_csv(folder / "split.csv")
    return SimpleNamespace(
        data=lambda name: folder,
        split=lambda dataset, task, fold: folder / "split.csv",
        suite={"size": "small", "tasks": ["t"]},
    )


def test_a_whole_release_is_counted_and_its_splits(tmp_path):
    facts = Facts()
    add_counted(facts, release(tmp_path, True), "x", {"title": "X", "version": "1"})
    counted = {"records": 3, "patients": 2, "split.t.train": 2, "split.t.test": 1, "labels.s.X": 2, "labels.s.Y": 1}
    assert facts.numbers == {f"measured.x.{name}": value for name, value in counted.items()}


def test_the_generated_records_of_a_set_that_is_nothing_else_are_counted(configs):
    """Of its first few patients nothing is; test_synthetic.py has what is called whole."""
    claim = next(of for of in configs.documents["000-ecg-llm"].claims if of.id == "000-synthetic-records")
    facts = Facts(missing={"synthetic-ecg": "needs the whole of it"})
    assert judge(claim, facts)["verdict"] == "not-run"
    facts.add("measured.synthetic-ecg.records", 20000)
    assert judge(claim, facts)["verdict"] == "reproduced"
    facts.add("measured.synthetic-ecg.records", 19999)
    assert judge(claim, facts)["verdict"] == "refuted"


def test_how_many_classes_a_release_has_is_declared_with_their_counts(configs):
    facts = declared_facts(configs)
    assert facts.numbers["declared.chestxray14.classes.findings"] == 14
    assert facts.numbers["declared.chestxray14.labels.findings.Hernia"] == 227
    claim = next(of for of in configs.documents["003-imaging"].claims if of.id == "003-xray-findings")
    row = judge(claim, facts)
    assert (row["published"], row["verdict"]) == (14, "not-run")  # as published; nothing was counted here
    assert row["reason"].startswith("those of the publisher's whole table, 112,120 images")
    assert judge(claim.model_copy(update={"reported": 15}), facts)["verdict"] == "refuted"


def test_scores_on_a_whole_release_are_told_for_the_mean_and_for_each_class(tmp_path):
    def run(macro, of_class):
        told = {"split": "test", "subgroup": "all", "metric": "auroc"}
        rows = [
            told | {"label": label, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
            for label, value in (("macro", macro), ("X", of_class))
        ]
        rows += [rows[0] | {"metric": "auprc"}, rows[0] | {"split": "val"}, rows[1] | {"value": None}]
        return SimpleNamespace(
            cell=SimpleNamespace(dataset="x", task="t", design="d"), read=lambda name: {"rows": rows}
        )

    here = release(tmp_path, True)
    here.suite["size"], here.scored = "full", [run(0.8, 0.7), run(0.6, 0.9)]
    facts = Facts()
    add_counted(facts, here, "x", {"title": "X", "version": "1"})
    assert facts.numbers["measured.x.auroc.t.d"] == pytest.approx(0.7)
    assert facts.numbers["measured.x.auroc.t.d.X"] == pytest.approx(0.8)


def test_part_of_a_release_is_not_counted_for_it(tmp_path):
    facts = Facts()
    add_counted(facts, release(tmp_path, False), "x", {"title": "X", "version": "1"})
    assert facts.numbers == {}
    assert facts.missing["x"] == "needs the whole X 1; 3 of its records are here"


def test_the_share_that_checkpoints_take_is_of_epochs_and_checkpoints():
    def run(checkpoint):
        phases = [{"name": "epoch", "seconds": [4.0, 5.0]}, {"name": "checkpoint", "seconds": [checkpoint]}]
        cell = SimpleNamespace(dataset="x", target="cpu", design="d")
        return SimpleNamespace(cell=cell, read=lambda name: {"phases": phases})

    facts = Facts()
    add_saving(facts, SimpleNamespace(measured=[run(1.0), run(3.0)]))
    assert facts.numbers["measured.x.saving.cpu.d"] == pytest.approx((0.1 + 0.25) / 2)
    assert facts.intervals["measured.x.saving.cpu.d"] == pytest.approx((0.1, 0.25))
