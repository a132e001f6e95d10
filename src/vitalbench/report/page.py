"""report.html: one self-contained page that says what ran, on what, and which design to pick."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

import vitalbench
from vitalbench.files import read_json, write_text
from vitalbench.layout import REPORT
from vitalbench.report.task_section import TaskSection, count, percent_free, seconds
from vitalbench.results import Results
from vitalbench.tables import number, read_table

_HERE = Path(__file__).parent


def badge(word: str) -> Markup:
    """A status or verdict, coloured by its class."""
    return Markup('<span class="{0}">{0}</span>').format(word)


def _timing_rows(results: Results) -> list[list[Any]]:
    rows = []
    for row in read_table("timing", results.table("timing")):
        if row["exclusive"] != "true":
            continue
        middle, spread, late = number(row["median_s"]), number(row["iqr_s"]), number(row["p95_s"])
        memory, pace = number(row["peak_memory_mb"]), number(row["per_second"])
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
                {"true": "yes", "false": "no"}.get(row["disturbed"], "not seen"),
            ]
        )
    return rows


def _cost_rows(results: Results) -> list[list[Any]]:
    table = pd.DataFrame(read_table("cost", results.table("cost")))
    if table.empty:
        return []
    first = table.drop_duplicates(["dataset", "task", "design", "target", "phase", "sku"])
    rows = []
    for row in first.to_dict("records"):
        usd, low, high, hours = (float(row[name]) for name in ("usd", "usd_low", "usd_high", "hours"))
        rows.append(
            [
                row["design"],
                row["phase"],
                f"{row['provider']} {row['sku']}, {row['purchase']}, {row['region']}",
                f"{float(row['usd_per_hour']):.4f}",
                row["price_date"],
                f"{hours:.5f}",
                f"{usd:.6f}",
                f"{low:.6f} to {high:.6f}",
                row["basis"],
            ]
        )
    return rows


def _data_rows(results: Results) -> list[list[Any]]:
    rows = []
    for name, dataset in results.suite["datasets"].items():
        folder = results.data(name)
        manifest = read_json(folder / "manifest.json") if folder and (folder / "manifest.json").is_file() else None
        if manifest is None:
            rows.append([dataset["title"], dataset["version"], "none here", "", "", dataset["licence"]])
            continue
        source = manifest["release"]["source"]
        shown = {"generated": "generated stand-in", "local": "local release"}.get(source, source)
        if source == "local" and not manifest["release"]["complete"]:
            shown += f" (part of {dataset['expected']['records']:,} records)" if dataset["expected"] else ""
        rows.append(
            [
                dataset["title"],
                dataset["version"],
                shown,
                count(manifest["records"]),
                count(manifest["patients"]),
                "none: made here" if source == "generated" else dataset["licence"],
            ]
        )
    return rows


def _claim_rows(results: Results) -> tuple[list[list[Any]], str]:
    rows = read_table("claims", results.table("claims"))
    counts = Counter(row["verdict"] for row in rows)
    shown = []
    for row in rows:
        found = number(row["measured"])
        why = Markup("<br>").join(escape(text) for text in (row["evidence"], row["reason"]) if text)
        shown.append(
            [
                Markup("{}<br>").format(row["location"]) + Markup('<span class="soft">{}</span>').format(row["source"]),
                f"{percent_free(float(row['reported']))} {row['unit']}",
                "" if found is None else f"{percent_free(found)} {row['unit']}",
                badge(row["verdict"]),
                why,
            ]
        )
    return shown, f"{len(rows)} reported numbers: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())) + "."


def _cell_rows(results: Results) -> tuple[list[list[Any]], str]:
    rows = read_table("matrix", results.table("matrix"))
    counts = Counter(row["status"] for row in rows)
    shown = [
        [
            row["dataset"], row["task"], row["design"], row["target"], row["seed"], row["fold"], badge(row["status"]), row["data_source"],
            count(int(row["parameters"])) if row["parameters"] else "", Markup("<code>{}</code>").format(row["run_id"]) if row["run_id"] else "",
            row["reason"],
        ]
        for row in rows
    ]  # fmt: skip
    return shown, f"{len(rows)} cells: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) + "."


def _provenance(results: Results) -> list[tuple[str, str]]:
    if not results.measured:
        return [("vitalbench", vitalbench.__version__)]
    told = results.measured[0].read("provenance.json")
    commits = sorted({str(run.read("provenance.json")["git_commit"]) for run in results.measured})
    clean = all(run.read("provenance.json")["git_clean"] is True for run in results.measured)
    return [
        ("code", f"vitalbench {told['vitalbench']}, commit {', '.join(commits)}{'' if clean else ', with uncommitted changes'}"),
        ("machine", f"{told['cpu']}, {told['cores']} cores, {told['memory_gb']} GB" + (f", {', '.join(told['gpus'])}" if told["gpus"] else "")),
        ("system", f"{told['platform']}, Python {told['python']}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(told["packages"].items()))),
        ("bootstrap", f"{results.suite['bootstrap']} resamples of patients, seed {results.suite['bootstrap_seed']}, 95 % percentile intervals"),
        ("first run written", told["written"]),
    ]


def _headline(results: Results, devices: set[str]) -> str:
    measured = len(results.measured)
    return (
        f"{measured} of {len(results.cells)} cells measured"
        + (f" on {' and '.join(sorted(devices))}" if devices else "")
        + ("; the others say why under Cells." if measured < len(results.cells) else ".")
    )


def _generated(results: Results) -> str:
    counts = []
    for name, source in results.suite["sources"].items():
        folder = results.data(name)
        if source == "generated" and folder and (folder / "manifest.json").is_file():
            counts.append(f"{count(read_json(folder / 'manifest.json')['records'])} {results.suite['datasets'][name]['title']}")
    return " and ".join(counts)


def _commands(results: Results) -> str:
    knobs = [f"suite={results.suite['suite']}"]
    if "local" in results.suite["sources"].values():
        knobs.append("data_root=FOLDER")
    return f"snakemake --cores all --config {' '.join(knobs)}"


def write_report(results: Results) -> Path:
    """Write the page and its figures; returns the page's path."""
    places = list(dict.fromkeys((r.cell.dataset, r.cell.task, r.cell.target) for r in results.measured))
    tasks = [TaskSection.of(results, *place) for place in places]
    figures = results.folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for stale in figures.glob("*.*"):
        stale.unlink()
    for section in tasks:
        for panel in section.panels:
            write_text(figures / f"{panel.name}.svg", panel.svg)
            write_text(figures / f"{panel.name}.csv", panel.data.to_csv(index=False, lineterminator="\n"))
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    devices = {run.read("timing.json")["device_name"] for run in results.measured}
    claims, claims_line = _claim_rows(results)
    cells, cells_line = _cell_rows(results)
    timing = _timing_rows(results)
    sections = [(f"task-{at}", section.title) for at, section in enumerate(tasks, start=1)]
    sections += [("time", "Time and cost"), ("data", "Data"), ("claims", "Claims"), ("cells", "Cells"), ("provenance", "Provenance")]
    html = environment.get_template("page.html").render(
        suite=results.suite,
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        generated=_generated(results),
        headline=_headline(results, devices),
        sections=sections,
        tasks=tasks,
        timing=timing,
        exclusive_note="as far as this workflow goes; foreign work is told in the last column" if timing else "",
        cost=_cost_rows(results),
        data=_data_rows(results),
        quality=[
            [row["dataset"], row["check"], row["action"], row["records"], row["of"], row["example"]]
            for row in read_table("quality", results.table("quality"))
        ],
        leakage=[
            [row["dataset"], row["task"], row["fold"], row["split"], row["check"], row["found"], row["allowed"], badge(row["verdict"])]
            for row in read_table("leakage", results.table("leakage"))
        ],
        claims=claims,
        claims_line=claims_line,
        cells=cells,
        cells_line=cells_line,
        provenance=_provenance(results),
        commands=_commands(results),
        version=vitalbench.__version__,
    )
    write_text(results.folder / REPORT, html)
    return results.folder / REPORT
