"""The tables of the page that are not about one task."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from vitalbench.claims.markdown import KINDS, found_of, reported_of
from vitalbench.files import read_json
from vitalbench.report.wording import badge, count, seconds
from vitalbench.results import Results
from vitalbench.tables import number, read_table


def timing_rows(results: Results) -> list[list[Any]]:
    """The phases that were timed alone on the machine."""
    rows = []
    for row in read_table("timing", results.table("timing")):
        if row["exclusive"] != "true":
            continue
        middle, spread, late = number(row["median_s"]), number(row["iqr_s"]), number(row["p95_s"])
        memory, pace = number(row["peak_memory_mb"]), number(row["per_second"])
        floor, reached, moved = (number(row[name]) for name in ("noise_floor", "mfu", "bandwidth_share"))
        rows.append(
            [
                row["design"],
                row["phase"],
                row["batch_size"],
                seconds(middle),
                seconds(spread),
                seconds(late),
                "" if pace is None or row["unit"] == "call" else f"{pace:,.0f} {row['unit']}s",
                "" if memory is None else f"{memory:,.0f} MB",
                row["repeats"],
                *("" if share is None else f"{share:.1%}" for share in (floor, reached, moved)),
                {"true": "yes", "false": "no"}.get(row["disturbed"], "not watched"),
            ]
        )
    return rows


def efficiency_rows(results: Results) -> list[list[Any]]:
    """The designs that a suite lays out side by side; none where it names none."""
    if not results.suite["efficiency"]:
        return []
    rows = []
    for row in read_table("efficiency", results.table("efficiency")):
        batch, low, high, epoch, training, memory, file = (
            number(row[name])
            for name in (
                "batch_s", "batch_low_s", "batch_high_s", "epoch_h", "training_h", "peak_memory_mb", "file_mib"
            )
        )  # fmt: skip
        times = [number(row[name]) for name in ("batch_times", "batch_times_low", "batch_times_high", "training_times")]
        rows.append(
            [
                row["design"],
                row["batch_size"],
                f"{seconds(batch)}, {seconds(low)} to {seconds(high)}",
                "" if times[0] is None else f"{times[0]:.2f}, {times[1]:.2f} to {times[2]:.2f}",
                "" if epoch is None else f"{epoch:.2f}",
                "" if training is None else f"{training:.2f}",
                "" if times[3] is None else f"{times[3]:.1f}",
                count(int(row["parameters"])),
                count(int(row["numbers"])),
                "" if file is None else f"{file:.2f}",
                "" if memory is None else f"{memory:,.0f} MB",
            ]
        )
    return rows


def data_rows(results: Results) -> list[list[Any]]:
    """A row a data set: what it is here."""
    rows = []
    for name, dataset in results.suite["datasets"].items():
        folder, caveat = results.data(name), results.dataset(name).caveat
        manifest = read_json(folder / "manifest.json") if folder and (folder / "manifest.json").is_file() else None
        if manifest is None:
            told = "; ".join(filter(None, ("none here", caveat)))
            rows.append([dataset["title"], dataset["version"], told, "", "", dataset["licence"]])
            continue
        source = manifest["release"]["source"]
        kinds = {"generated": "generated stand-in", "local": "local release", "download": "downloaded release"}
        whole = manifest["release"]["complete"]
        shown = "generated, all there is of it" if source == "generated" and whole else kinds[source]
        if source != "generated" and not whole:
            shown += f" (part of {dataset['expected']['records']:,} records)" if dataset["expected"] else ""
        rows.append(
            [
                dataset["title"],
                dataset["version"],
                "; ".join(filter(None, (shown, caveat))),
                count(manifest["records"]),
                count(manifest["patients"]),
                "none: made here" if source == "generated" else dataset["licence"],
            ]
        )
    return rows


@dataclass(frozen=True)
class Ledger:
    """The reported numbers: a row each, the counts by verdict, and what a reader may choose among.

    Attributes:
        documents: their titles; a row holds an element of the class `document-N`, N its document's place in this list.
        counts: a row a document: its title, its numbers, and how many of them have each of `verdicts`.
    """

    rows: list[list[Any]]
    line: str
    verdicts: list[str]
    documents: list[str]
    methods: list[str]
    counts: list[list[Any]]

    @property
    def heads(self) -> list[str]:
        """The columns of `counts` after its numbers."""
        return [f"#{verdict}" for verdict in self.verdicts]


def ledger_of(results: Results) -> Ledger:
    """The ledger of a suite."""
    rows = read_table("claims", results.table("claims"))
    counts = Counter(row["verdict"] for row in rows)
    documents = list(dict.fromkeys(row["source"] for row in rows))
    shown = []
    for row in rows:
        ends = ("reported", "reported_to", "found_to", "interval_low", "interval_high", "tolerance")
        numbers = row | {name: number(row[name]) for name in (*ends, *KINDS)}
        why = Markup("<br>").join(escape(text) for text in (row["evidence"], row["reason"]) if text)
        source = Markup('<span class="soft document-{}">{}</span>').format(
            documents.index(row["source"]), row["source"]
        )
        shown.append(
            [
                Markup("<code>{}</code> {}<br>").format(row["claim"], row["location"]) + source,
                reported_of(numbers),
                found_of(numbers),
                badge(row["verdict"]),
                Markup('<span class="method-{}">{}</span>').format(row["method"], row["method"]),
                why,
            ]
        )
    told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
    methods = sorted({row["method"] for row in rows})
    by_document = Counter((row["source"], row["verdict"]) for row in rows)
    counted = [[by_document[document, verdict] for verdict in sorted(counts)] for document in documents]
    by = [[document, sum(line), *line] for document, line in zip(documents, counted, strict=True)]
    return Ledger(shown, f"{len(rows)} reported numbers: {told}.", sorted(counts), documents, methods, by)


def cell_rows(results: Results) -> tuple[list[list[Any]], str]:
    """A row a cell, and the counts by status."""
    rows = read_table("matrix", results.table("matrix"))
    counts = Counter(row["status"] for row in rows)
    shown = []
    for row in rows:
        keys = [row[name] for name in ("dataset", "task", "design", "target", "seed", "fold")]
        parameters = count(int(row["parameters"])) if row["parameters"] else ""
        run = Markup("<code>{}</code>").format(row["run_id"]) if row["run_id"] else ""
        shown.append([*keys, badge(row["status"]), row["data_source"], parameters, run, row["reason"]])
    return shown, f"{len(rows)} cells: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) + "."
