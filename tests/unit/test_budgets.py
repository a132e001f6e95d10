"""A document's cost tables, derived line by line; storage and what it costs; times to a level; alarms."""

import csv

import pytest

from tests.conftest import ROOT, resolved
from vitalbench import cli
from vitalbench.config.budget_file import read_budget
from vitalbench.config.prices import newest_price_file, read_prices
from vitalbench.config.storage_prices import parse_storage_prices, read_storage_prices, storage_file
from vitalbench.cost.budget import derive
from vitalbench.cost.storage import parts
from vitalbench.errors import ConfigError, GateError, InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import MEASUREMENT, RUN
from vitalbench.measure.phases import Phase
from vitalbench.report.cost_tables import reached_rows
from vitalbench.results import Results
from vitalbench.tables import read_table
from vitalbench.watch.process import this_process
from vitalbench.watch.progress_file import Progress, write_progress

CONFIGS = ROOT / "configs"
CELL = {"dataset": "ptbxl", "task": "superdiagnostic", "design": "s4d", "target": "cpu", "seed": 0, "fold": 0}


@pytest.fixture(scope="module")
def document():
    path = CONFIGS / "budgets/000-ecg-llm.yaml"
    prices = read_prices(newest_price_file(CONFIGS)), read_storage_prices(storage_file(CONFIGS))
    return {found.line.id: found for found in derive(read_budget(path), *prices, str(path))}


def test_the_documents_own_arithmetic_is_right_and_its_prices_are_not(document):
    for name in ("aws-month", "gcp-month", "azure-month", "storage-total", "compute-total", "total"):
        assert document[name].terms == pytest.approx(document[name].line.reported)
    assert document["aws-month"].derived == pytest.approx(21.957642 * 720)
    assert document["aws-month"].verdict == "differs"
    assert document["aws-month"].used == ["aws-p4d.24xlarge of 2026-09-06"]
    assert document["gcp-hour"].verdict == "not derived"
    assert "no dated price" in document["gcp-hour"].line.why


def test_a_line_that_its_own_terms_contradict_says_so_whatever_is_derived(document):
    fusion = document["fusion-parameters"]
    assert fusion.terms == pytest.approx(175_630)
    assert fusion.verdict == "contradicts its own terms"
    assert document["aws-memory"].verdict == "agrees"
    assert [found.line.id for found in document.values() if found.verdict == fusion.verdict] == ["fusion-parameters"]


def test_stages_of_which_no_time_can_be_derived_say_why(document):
    assert document["vit-days"].verdict == "not derived"
    assert 10 / document["vit-epoch"].derived == pytest.approx(2900, rel=0.01)
    assert document["training-days"].derived == pytest.approx(10 + document["gpt-days"].derived)
    assert "no time of stage 3 is stated" in document["fusion-parameters"].line.why


def test_sums_take_what_was_derived_and_else_what_was_reported(document):
    assert document["raw"].derived == pytest.approx(12)
    stored = 12 + 12 + 0 + 4 * (630e6 + 175e9) * 12 / 1e9
    assert document["storage-total"].derived == pytest.approx(2 * stored + 100)
    assert document["gpt-days"].derived == pytest.approx(38.35, abs=0.01)
    compute = 21.957642 * 24 * (10 + document["gpt-days"].derived) + 5000 + 5000 + document["bandwidth"].derived
    assert document["total"].derived == pytest.approx(compute + 0 + 1000 + 1500 + 1000)


def test_the_document_of_the_budgets_is_what_the_command_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.run(["budget", "--markdown", str(tmp_path / "BUDGETS.md")]) == 0
    assert (tmp_path / "BUDGETS.md").read_text() == (ROOT / "docs/BUDGETS.md").read_text()


def test_a_budget_over_its_limit_raises_the_alarm(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert cli.run(["budget", "000-ecg-llm", "--limit", "50000"]) == 0
    with pytest.raises(GateError, match=r"line 'total' comes to 39371\.88 USD, more than the limit of 39000\.00 USD"):
        cli.run(["budget", "--limit", "39000"])
    capsys.readouterr()


def test_a_bound_is_kept_or_broken_by_what_is_derived(monkeypatch, tmp_path, capsys):
    """And nothing is printed where the line that is to be held is none."""
    monkeypatch.chdir(ROOT)
    newest = max((ROOT / "configs/prices").glob("*.csv"))
    dear = tmp_path / newest.name
    row = next(line for line in newest.read_text().splitlines() if line.startswith("aws-p4d.24xlarge,"))
    dear.write_text(newest.read_text().replace(row, row.replace("21.957642", "60")))
    verdicts = []
    for prices in (newest, dear):
        assert cli.run(["budget", "--prices", str(prices)]) == 0
        (bound,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| Total cost: <$50k")]
        verdicts.append([word for word in ("within the bound", "beyond the bound") if word in bound])
    assert verdicts == [["within the bound"], ["beyond the bound"]]
    with pytest.raises(ConfigError):
        cli.run(["budget", "--limit", "1", "--line", "totle"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["000-ecg-lm"], "nearest: 000-ecg-llm"),
        (["--limit", "nan"], "--limit nan: it must be a positive number"),
        (["--limit", "-1"], "--limit -1.0: it must be a positive number"),
        (["--limit", "1", "--line", "totle"], "nearest: total"),
        (["--limit", "1", "--line", "raw"], "--line raw is in GB"),
        (["--line", "raw"], "--line says which line --limit holds, and --limit is not given"),
        (["--prices", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--storage", "nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_what_is_wrong_with_a_call_is_one_line(monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match=said) as refused:
        cli.run(["budget", *arguments])
    assert "\n" not in str(refused.value)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("price['aws-p4d.24xlarge']\n", "price['aws-p4d.24xlarg']\n"),
            "line 'aws-hour': derived: .*nearest: price.aws-p4d.24xlarge",
        ),
        (("id: raw\n", "id: processed\n"), "line 'processed' stands there twice"),
        (("terms: 32 * 30 * 24", "terms: 32 / 0"), "line 'aws-month': terms: "),
        (("terms: 32 * 30 * 24", "terms: __import__('os')"), "line 'aws-month': terms: "),
        (
            ("line['raw'] + line['processed'] + line['augmented'] + line['checkpoints']\n", "line['total']\n"),
            "line 'backup': derived: ",
        ),
        (("unit: USD/h", "unit: USD/h\n    unti: x"), "unti"),
    ],
)
def test_what_is_wrong_with_a_budget_names_its_line(project, monkeypatch, capsys, change, said):
    monkeypatch.chdir(project)
    path = project / "configs/budgets/000-ecg-llm.yaml"
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change, 1))
    with pytest.raises(ConfigError, match=said) as refused:
        cli.run(["budget"])
    assert "000-ecg-llm.yaml" in str(refused.value)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("0.023", "-1"), "line 2: usd_per_gb_month is '-1'"),
        (("0.023", "nan"), "line 2: usd_per_gb_month is 'nan'"),
        (("0.023", "inf"), "line 2: usd_per_gb_month is 'inf'"),
        (("2026-05-04,", ","), "line 2: a price needs its key, its date and its source"),
        (("2026-05-04,", "yesterday,"), "line 2: price_date is 'yesterday'; it must be a day or a month"),
        (("2026-05-04,", "2026-13-77,"), "line 2: price_date is '2026-13-77'"),
        (("aws-s3-ia", "aws-s3-standard"), "line 3: key 'aws-s3-standard' stands there twice"),
        (("usd_per_gb_month", "usd_per_gb"), "column 'usd_per_gb_month' is missing"),
    ],
)
def test_a_wrong_storage_price_names_its_line(change, said):
    path = storage_file(CONFIGS)
    with pytest.raises(ConfigError, match=said):
        parse_storage_prices(path.read_text().replace(*change, 1), path)


@pytest.fixture
def suite(project, monkeypatch):
    """The suite quick with one measured run: three epochs, and files of known sizes."""
    monkeypatch.chdir(project)
    resolved(project)
    results = project / "results/quick"
    run = results / RUN.format(**CELL)
    write_json(run / "status.json", {"status": "measured", "reason": "", "run_id": "abc"})
    write_json(run / "timing.json", {"phases": [{"name": "epoch", "items": 3200}]})
    write_json(run / "provenance.json", {"facts": {"steps": 300, "steps_an_epoch": 100}})
    (run / "history.csv").write_text("epoch,steps,val_loss,val_auroc\n1,100,0.6,0.78\n2,200,0.5,0.86\n3,300,0.5,0.84\n")
    limits = {"flops": {"rate": 0.25e12, "source": "measured"}, "bytes": {"rate": 20e9, "source": "measured"}}
    step = Phase("train_step", [0.9, 1.0, 1.1], items=32, batch_size=32, exclusive=True, limits=limits)
    write_json(results / MEASUREMENT.format(**CELL), {"device_name": "a cpu", "phases": [step.to_json()]})
    return results


def test_time_and_cost_to_a_level_are_those_of_the_first_epoch_that_reached_it(suite):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    rows = read_table("reached", suite / "tables/reached.csv")
    found = {row["level"]: row for row in rows if row["basis"] != "projected" and row["target"] == "cpu"}
    assert set(found) == {"0.7", "0.8", "0.85", "0.9", "0.925"}
    assert (found["0.85"]["reached"], found["0.85"]["epochs"], found["0.85"]["steps"]) == ("true", "2", "200")
    assert float(found["0.85"]["hours"]) == pytest.approx(200 / 3600)
    assert float(found["0.85"]["usd"]) == pytest.approx(200 / 3600 * 0.096)
    assert (found["0.9"]["reached"], found["0.9"]["usd"], found["0.9"]["best"]) == ("false", "", "0.86")


def test_time_and_cost_to_a_level_are_projected_from_the_run_that_reached_it(suite):
    assert cli.run(["cost", "--results", str(suite)]) == 0
    rows = read_table("reached", suite / "tables/reached.csv")
    away = {row["level"]: row for row in rows if row["target"] == "h100"}
    row = away["0.85"]
    assert (row["basis"], row["projected_from"], row["run_id"], row["epochs"]) == ("projected", "cpu", "", "2")
    assert float(row["hours"]) == pytest.approx(200 / 3600 * 0.25 / 66.9)
    assert float(row["hours_low"]) < 0.9 * float(row["hours"]) < 1.1 * float(row["hours"]) < float(row["hours_high"])
    price = float(row["usd_per_hour"])
    for name in ("", "_low", "_high"):
        assert float(row[f"usd{name}"]) == pytest.approx(float(row[f"hours{name}"]) * price)
    assert (away["0.9"]["reached"], away["0.9"]["hours"], away["0.9"]["basis"]) == ("false", "", "")
    unpriced = next(row for row in rows if row["target"] == "rtx4090" and row["level"] == "0.85")
    assert unpriced["usd"] == unpriced["usd_low"] == ""
    assert unpriced["outside"] == "no time of rtx4090 was published: by its data sheet alone"
    shown = {row[2]: row for row in reached_rows(Results(suite)) if row[3] == "0.85"}
    assert set(shown) == {"cpu", *(f"{name}, projected from cpu" for name in ("a100-40", "h100", "rtx4090"))}
    assert " to " in shown["h100, projected from cpu"][6]
    assert shown["cpu"][6] == "3.3 min"


def test_another_level_is_priced_without_running_anything(suite, capsys):
    assert cli.run(["cost", "--results", str(suite), "--reach", "0.7", "0.95"]) == 0
    rows = [row for row in csv.DictReader(capsys.readouterr().out.splitlines()) if row["target"] == "cpu"]
    assert [(row["level"], row["epochs"]) for row in rows] == [("0.7", "1"), ("0.95", "")]
    for wrong in ("nan", "0", "85"):
        with pytest.raises(InputError, match="a metric lies between 0 and 1"):
            cli.run(["cost", "--results", str(suite), "--reach", wrong])


def test_a_suite_over_its_budget_raises_the_alarm(suite, capsys):
    assert cli.run(["cost", "--results", str(suite), "--budget", "1"]) == 0
    assert (
        "1 runs come to 0.008 USD (train 0.008 USD) at their targets' first prices, within the budget of 1.00 USD"
        in capsys.readouterr().err
    )
    with pytest.raises(GateError, match=r"more than the budget of 0\.007 USD"):
        cli.run(["cost", "--results", str(suite), "--budget", "0.007"])
    with pytest.raises(GateError, match=r"1 runs come to 8\.33 USD"):
        cli.run(["cost", "--results", str(suite), "--budget", "1", "--records", "1000000", "--epochs", "10"])
    for wrong in ("nan", "-1", "inf", "0"):
        with pytest.raises(InputError, match="it must be a positive number"):
            cli.run(["cost", "--results", str(suite), "--budget", wrong])


def test_a_whole_run_is_the_sum_of_its_parts_and_what_a_budget_holds(suite, capsys):
    path = suite / MEASUREMENT.format(**CELL)
    left = read_json(path)
    loaded = Phase("loaded_step", [1.5, 1.5, 1.5], items=32, batch_size=32, exclusive=True)
    forward = Phase("inference", [0.2] * 3, items=10, batch_size=10, exclusive=True)
    write_json(path, left | {"phases": [*left["phases"], loaded.to_json(), forward.to_json()]})
    run = suite / RUN.format(**CELL)
    told = read_json(run / "provenance.json")["facts"] | {"epochs": 3, "validation_records": 400}
    write_json(run / "provenance.json", {"facts": told})
    done = [{"name": "epoch", "items": 3200}, {"name": "evaluation", "items": 900}]
    write_json(run / "timing.json", {"phases": done})
    write_progress(run, Progress(run_id="abc", stage="ended", writer=this_process(), written="now", seconds=7200.0))
    assert cli.run(["cost", "--results", str(suite)]) == 0
    rows = read_table("cost", suite / "tables/cost.csv")
    seconds = {row["phase"]: float(row["hours"]) * 3600 for row in rows if row["sku"] == "m5.large"}
    parts = {"train": 300.0, "loading": 150.0, "validation": 24.0, "scoring": 18.0}
    assert seconds == pytest.approx(parts | {"run": 492.0, "epoch": 100.0, "inference_1000": 20.0})
    usd = {row["phase"]: float(row["usd"]) for row in rows if row["sku"] == "m5.large"}
    assert usd["run"] == pytest.approx(sum(usd[name] for name in parts))
    away = {row["phase"]: float(row["hours"]) for row in rows if row["sku"] == "p5.48xlarge"}
    assert "loading" not in away
    assert away["run"] == pytest.approx(away["train"] + away["validation"] + away["scoring"])
    assert cli.run(["cost", "--results", str(suite), "--budget", "1"]) == 0
    said = capsys.readouterr().err
    assert "1 runs come to 0.013 USD (train 0.008 USD, loading 0.004 USD, validation " in said
    assert "which budget_usd counts, 0.19 USD so far" in said


def test_storage_counts_what_is_there_and_prices_a_copy_of_it(suite, capsys):
    data = suite.parent / "data/ptbxl/generated"
    for name, size in (("release/a.dat", 1000), ("parts/p.h5", 600), ("store.h5", 50), ("log/x.txt", 999)):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(bytes(size))
    write_json(data / "manifest.json", {"records": 10})
    run = suite / RUN.format(**CELL)
    (run / "model.safetensors").write_bytes(bytes(200))
    found = parts(Results(suite), "ptbxl")
    assert (found["raw"], found["processed"], found["augmented"]) == (
        (1000.0, "measured"),
        (650.0, "measured"),
        (0.0, "measured"),
    )
    assert found["checkpoints"] == (200.0, "measured")
    assert found["backup"][0] == pytest.approx(1000 + 650 + 200 + found["runs"][0])
    assert found["total"] == (pytest.approx(2 * found["backup"][0]), "projected")
    assert parts(Results(suite), "ptbxl", 1000)["raw"] == (100_000.0, "projected")
    assert cli.run(["storage", "--results", str(suite)]) == 0
    rows = [row for row in read_table("storage", suite / "tables/storage.csv") if row["sku"] == "S3 Standard"]
    assert float(rows[0]["usd_month"]) == pytest.approx(1000 / 1e9 * 0.023)
    for wrong in ("0", "-3"):
        with pytest.raises(InputError, match="--records is "):
            cli.run(["storage", "--results", str(suite), "--records", wrong])


def test_a_level_is_told_of_the_metric_that_every_epoch_has(project):
    task = project / "configs/tasks/superdiagnostic.yaml"
    task.write_text(
        task.read_text().replace("primary: auroc", "primary: ece").replace("direction: higher", "direction: lower")
    )
    with pytest.raises(ConfigError, match="lower is better for 'ece'"):
        resolved(project)
