"""Published scores stand beside ours by class, with the reasons why they are no comparison."""

import re
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from vitalbench.claims.ledger import claim_rows
from vitalbench.claims.sources import declared_facts
from vitalbench.config.checks import check_claims
from vitalbench.config.folder import ConfigFolder
from vitalbench.errors import ConfigError
from vitalbench.files import write_json
from vitalbench.report.published import published
from vitalbench.report.task_tables import class_table
from vitalbench.tables import write_table

SMALL = {"release": "chestxray14", "title": "ChestX-ray14 at 64 x 64 pixels"}


def data(folder, configs, name="chestxray14-64", source="generated", size="small", complete=False, task="findings"):
    """What the page asks of a task's data, with one design's scores."""
    write_json(folder / "manifest.json", {"release": {"complete": complete, "records": 1000, "source": source}})
    write_table("claims", claim_rows(configs.documents, declared_facts(configs)), folder / "claims.csv")
    suite = {"sources": {name: source}, "datasets": {name: SMALL}, "size": size}
    results = SimpleNamespace(suite=suite, data=lambda _: folder, table=lambda table: folder / f"{table}.csv")
    score = {"mean": "0.7", "ci_low": "0.6", "ci_high": "0.8"}
    return SimpleNamespace(
        results=results, dataset=name, task=configs.task(task), designs=["resnet50"], positives={"Mass": 3, "Hernia": 1},
        score=lambda design, metric, label="macro": score,
    )  # fmt: skip


def test_published_scores_of_the_release_stand_in_a_column_a_document_with_their_mean(tmp_path, configs):
    here = data(tmp_path, configs)
    others = published(here)
    head, rows = class_table(here, others)
    assert head[3:] == ["#published: Wang et al. 2017", "#published: CheXNet"]
    assert {row[0]: row[3:] for row in rows} == {
        "Mass": ["0.706", "0.868"],
        "Hernia": ["0.767", "0.916"],
        "mean": ["0.738", "0.841"],
    }
    assert len(others.values["CheXNet"]) == 15


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {},
            "No comparison: these records are generated; these are of ChestX-ray14 at 64 x 64 pixels; these designs are at",
        ),
        (
            {"source": "local", "task": "findings-drawn"},
            "No comparison: 1,000 of the release's records are here; these are",
        ),
        (
            {"source": "local", "name": "chestxray14", "complete": True},
            "No comparison: these designs are at their small size.",
        ),
    ],
)
def test_why_they_are_no_comparison_is_said(tmp_path, configs, asked, said):
    assert said in published(data(tmp_path, configs, **asked)).note


def test_of_the_release_at_full_size_nothing_is_said_against_it(tmp_path, configs):
    whole = published(data(tmp_path, configs, "chestxray14", "local", "full", complete=True))
    assert "No comparison" not in whole.note
    assert whole.note.startswith("Published, of the release, of other networks and splits: Wang et al. 2017, arXiv")


def test_a_task_of_other_labels_has_no_published_columns(tmp_path, configs):
    here = data(tmp_path, configs, task="superdiagnostic")
    assert published(here).values == {}
    assert class_table(here, published(here))[0] == ["Class", "#positives", "#resnet50"]


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("chestxray15.findings.Mass", "no data set is named 'chestxray15'; .*nearest: chestxray14"),
        ("chestxray14.finding.Mass", "no task asks for the labels 'finding'; .*nearest: findings"),
        ("chestxray14.findings.Mas", "'findings' has no class 'Mas'; .*nearest: Mass"),
    ],
)
def test_a_score_that_stands_beside_nothing_is_refused(project, beside, said):
    path = project / "configs/claims/chexnet.yaml"
    path.write_text(path.read_text().replace("beside: chestxray14.findings.Mass", f"beside: {beside}"))
    with pytest.raises(ConfigError, match=rf"chexnet\.yaml: claim 'chexnet-mass': beside: {said}"):
        check_claims(ConfigFolder(project / "configs"))


def test_the_documents_table_holds_what_the_claims_hold(configs):
    told = {name: {} for name in ("chestxray14", "chexnet")}
    for name, by in told.items():
        for claim in configs.documents[name].claims:
            if claim.beside:
                by[claim.beside.split(".")[2]] = f"{claim.reported:.3f}"
    text = (ROOT / "docs/METHODS.md").read_text().partition("## Chest radiographs")[2]
    for label in told["chexnet"]:
        rows = re.findall(rf"^\| {'mean' if label == 'macro' else label}\b.*$", text, re.MULTILINE)
        assert len(rows) == 2  # of generated images, and of 1,000 real ones
        assert {tuple(row.split(" | ")[-2:]) for row in rows} == {
            (told["chestxray14"][label], f"{told['chexnet'][label]} |")
        }
