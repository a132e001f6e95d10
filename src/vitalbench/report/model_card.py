"""A run's model card, from what it left: trained on whom, scored on whom, what the audit found, and what it does not show.

The sections follow Mitchell et al., Model Cards for Model Reporting (2019, doi:10.1145/3287560.3287596).
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from vitalbench.cell_result import CellResult
from vitalbench.config.schema import MACRO
from vitalbench.evaluate.score import ALL
from vitalbench.files import read_json, write_text
from vitalbench.report.statistics import statistics_checks
from vitalbench.report.wording import count, in_order, listed, metric_name, plain, score, split_words, strip_markup
from vitalbench.results import Results
from vitalbench.train.pretrained import AUDITED

CARD = "card.md"
_FEW = 100  # patients, below which a subgroup's score decides little; said, not hidden


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
    yield ""


def _score(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return f"none: {row['reason']}"
    return strip_markup(score(row["value"], row["ci_low"], row["ci_high"]))


class _Card:
    """What the sections are made of: the run, and the test rows of its metrics."""

    def __init__(self, results: Results, run: CellResult) -> None:
        self.results, self.run, self.cell = results, run, run.cell
        self.dataset, self.task = results.dataset(self.cell.dataset), results.task(self.cell.task)
        self.design, self.source = results.design(self.cell.design), run.source
        rows = run.read("metrics.json")["rows"] if run.measured else []
        self.rows: list[dict[str, Any]] = [row for row in rows if row["split"] == "test"]

    @property
    def _asked(self) -> list[str]:
        """The classes that were asked: of a task that chooses by its training patients, not all."""
        named = [str(row["label"]) for row in self.of(subgroup=ALL, metric=self.task.primary) if row["label"] != MACRO]
        return named or self.task.classes

    def of(self, **wanted: str) -> list[dict[str, Any]]:
        """The test rows with some values."""
        return [row for row in self.rows if all(row[name] == value for name, value in wanted.items())]

    def lines(self) -> Iterator[str]:
        """The card."""
        cell, run = self.cell, self.run
        yield f"# {cell.design} on {self.dataset.title}: {cell.task}\n"
        if self.source == "generated":
            yield (
                "**Generated records.** It was trained and scored on a stand-in, not on recordings of people: "
                "it supports no clinical claim.\n"
            )
        yield f"{self.design.description or 'No description.'}\n"
        place = f"seed {cell.seed}, fold {cell.fold}, target {cell.target}"
        ended = f"{run.status}: {run.reason}" if run.reason else run.status
        yield f"Run `{run.run_id}` of the suite {self.results.folder.name}, {place}: {ended}.\n"
        if run.measured:
            provenance = run.read("provenance.json")
            yield from self.model(provenance)
            yield from self.data(provenance)
            yield from self.scores()
        yield from self.leaks()
        yield from self.limits()

    def model(self, provenance: dict[str, Any]) -> Iterator[str]:
        """What it is and how it was trained."""
        facts, train = provenance["facts"], self.design.train
        told = [["recipe", self.design.recipe], ["size", str(self.results.suite["size"])]]
        told += [["model", self.design.model.name]] if self.design.model else []
        told += [
            [name, plain(float(facts[name]))]
            for name in ("parameters", "epochs", "kept_epoch", "steps")
            if name in facts
        ]
        if train:
            rate = f"learning rate {train.learning_rate:g}"
            told.append(["optimiser", f"{train.optimizer}, {rate}, batches of {train.batch_size}"])
        if "pretrained" in provenance["data"]:
            told.append(["starts from", f"the pre-training run {provenance['data']['pretrained']}"])
        on = str(provenance["gpus"]) if provenance["gpus"] else f"{provenance['cpu']}, {provenance['threads']} threads"
        code = f"vitalbench {provenance['vitalbench']}, commit {provenance['git_commit'] or 'not known'}"
        told += [["trained on" if train else "run on", on], ["at", f"{provenance['started']}, {code}"]]
        yield "## Model\n"
        yield from _table(["", ""], told)

    def data(self, provenance: dict[str, Any]) -> Iterator[str]:
        """Whom it was trained and scored on."""
        release = provenance["release"]
        whole = "" if release["complete"] else ", not the whole release"
        licence = (
            "made here, so under no licence of the release's" if self.source == "generated" else self.dataset.licence
        )
        yield "## Data\n"
        yield (
            f"{self.dataset.title} {self.dataset.version} ({self.source}{whole}), {licence}. Classes: "
            f"{', '.join(self._asked)}. Split by {split_words(self.task.split, self.dataset.carry)}.\n"
            + (f"\n{self.dataset.caveat.capitalize()}.\n" if self.dataset.caveat else "")
        )
        split = pd.read_csv(self.results.split(self.cell.dataset, self.cell.task, self.cell.fold), dtype=str)
        parts = {name: split[split["split"] == name] for name in ("train", "val", "test")}
        yield from _table(
            ["split", "records", "patients"],
            [[name, count(len(part)), count(part["patient_id"].nunique())] for name, part in parts.items()],
        )

    def scores(self) -> Iterator[str]:
        """On the test patients: the mean over classes, by class, by subgroup."""
        if not self.rows:
            return
        yield "## Scores on test patients\n"
        yield "With 95 % intervals over patients; a run's own, so what seeds do is not among them.\n"
        yield from _table(
            ["metric", "mean over classes"],
            [[metric_name(row["metric"]), _score(row)] for row in self.of(subgroup=ALL, label=MACRO)],
        )
        primary = metric_name(self.task.primary)
        by_class = [row for row in self.of(subgroup=ALL, metric=self.task.primary) if row["label"] != MACRO]
        yield from _table(
            ["class", "positives", primary], [[row["label"], str(row["n_positive"]), _score(row)] for row in by_class]
        )
        groups = sorted(
            (row for row in self.of(metric=self.task.primary, label=MACRO) if row["subgroup"] != ALL),
            key=lambda row: in_order(row["subgroup"]),
        )
        yield from _table(
            ["subgroup", "patients", primary],
            [[row["subgroup"], str(row["n_patients"]), _score(row)] for row in groups],
        )

    def checks(self) -> list[dict[str, Any]]:
        """What the audits found: of the split, of whom the pre-training has seen, and of what statistics were fitted on."""
        receipt = self.results.receipt(self.cell.dataset, self.cell.task, self.cell.fold)
        found = list(read_json(receipt)["checks"]) if receipt.is_file() else []
        found += self.run.read(AUDITED)["checks"] if (self.run.folder / AUDITED).is_file() else []
        return [*found, *statistics_checks(self.results, [self.run])]

    def leaks(self) -> Iterator[str]:
        """The verdict of each check."""
        yield "## Leakage\n"
        verdicts = [[check["check"], check["split"], str(check["found"]), check["verdict"]] for check in self.checks()]
        if not verdicts:
            yield "No audit of the split is here.\n"
            return
        yield from _table(["check", "between", "found", "verdict"], verdicts)

    def limits(self) -> Iterator[str]:
        """What it does not show."""
        yield "## Known limits\n"
        if self.source == "generated":
            yield "- Nothing here is about patients: the records are generated."
        if self.design.train and self.design.train.shuffle_labels:
            yield "- A control: its training labels were shuffled, so that it can have learnt nothing of them."
        if self.results.suite["size"] == "small" and self.design.model:
            yield "- It is the design's small size, not the published one."
        open_classes = [
            row["label"] for row in self.of(subgroup=ALL, metric=self.task.primary) if row["ci_low"] is None
        ]
        if open_classes:
            yield f"- Too few patients for an interval of {', '.join(open_classes)}."
        whole = self.of(metric=self.task.primary, label=MACRO)
        few = {row["subgroup"] for row in whole if row["subgroup"] != ALL and row["n_patients"] < _FEW}
        if few:
            yield f"- Under {_FEW} test patients in {', '.join(sorted(few, key=in_order))}: a difference there decides little."
        told = [check for check in self.checks() if (check["verdict"], check["split"]) == ("noted", "train-test")]
        noted = {check["check"].removeprefix("shared-") for check in told}
        if noted:
            yield f"- Test records share their {' and '.join(sorted(noted))} with training records: others' may score otherwise."
        split = self.task.split
        if split.method == "external":
            others = listed(split.test_on)
            yield f"- Trained on records of {split.train_on} alone; scored on those of {others} too, of no other source."
        else:
            yield "- Scored on the release that it was trained on; no other hospital's records."
        yield "- A research result: not a medical device, and not to be used on patients.\n"


def write_card(results: Results, run: CellResult) -> None:
    """Write card.md into a run's folder, whatever status it ended in."""
    write_text(run.folder / CARD, "\n".join(_Card(results, run).lines()))
