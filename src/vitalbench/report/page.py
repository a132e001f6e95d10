"""report.html: one self-contained page that says what ran, on what, and which design to pick."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import vitalbench
from vitalbench.files import read_json, write_text
from vitalbench.layout import REPORT
from vitalbench.report import ladder_rows, pooled_rows
from vitalbench.report.cost_tables import (
    cost_rows,
    projected_rows,
    projected_steps,
    projection_errors,
    reached_rows,
    storage_table,
    unpriced,
)
from vitalbench.report.external_rows import shown_rows
from vitalbench.report.page_tables import cell_rows, data_rows, efficiency_rows, ledger_of, timing_rows
from vitalbench.report.task_section import task_section
from vitalbench.report.wording import badge, count
from vitalbench.results import Results
from vitalbench.tables import read_table

_HERE = Path(__file__).parent


def _provenance(results: Results) -> list[tuple[str, str]]:
    if not results.measured:
        return [("vitalbench", vitalbench.__version__)]
    told = results.measured[0].read("provenance.json")
    commits = sorted({str(run.read("provenance.json")["git_commit"]) for run in results.measured})
    clean = all(run.read("provenance.json")["git_clean"] is True for run in results.measured)
    return [
        (
            "code",
            f"vitalbench {told['vitalbench']}, commit {', '.join(commits)}{'' if clean else ', with uncommitted changes'}",
        ),
        (
            "machine",
            f"{told['cpu']}, {told['cores']} cores, {told['memory_gb']} GB"
            + (f", {', '.join(told['gpus'])}" if told["gpus"] else ""),
        ),
        ("system", f"{told['platform']}, Python {told['python']}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(told["packages"].items()))),
        (
            "bootstrap",
            f"{results.suite['bootstrap']} resamples of patients, seed {results.suite['bootstrap_seed']}, "
            "95 % percentile intervals",
        ),
        ("first run written", told["written"]),
    ]


def _headline(results: Results, devices: set[str]) -> str:
    measured, projected = len(results.measured), len(results.projected)
    return (
        f"{measured} of {len(results.cells)} cells measured"
        + (f" on {' and '.join(sorted(devices))}" if devices else "")
        + (f", {projected} projected" if projected else "")
        + ("; the others say why under Cells." if measured + projected < len(results.cells) else ".")
    )


def _generated(results: Results) -> str:
    counts = []
    for name, source in results.suite["sources"].items():
        folder = results.data(name)
        if source == "generated" and folder and (folder / "manifest.json").is_file():
            counts.append(
                f"{count(read_json(folder / 'manifest.json')['records'])} {results.suite['datasets'][name]['title']}"
            )
    return " and ".join(counts)


def _caveats(results: Results) -> list[str]:
    """A sentence for each data set whose reader no real file has been read by."""
    told = ((dataset["title"], results.dataset(name).caveat) for name, dataset in results.suite["datasets"].items())
    return [f"{title}: {caveat}." for title, caveat in told if caveat]


def _commands(results: Results) -> str:
    knobs = [f"suite={results.suite['suite']}"]
    if "local" in results.suite["sources"].values():
        knobs.append("data_root=FOLDER")
    if "download" in results.suite["sources"].values():
        knobs.append("download=true")
    return f"snakemake --cores all --config {' '.join(knobs)}"


def write_report(results: Results) -> Path:
    """Write the page and its figures; returns the page's path."""
    places = list(dict.fromkeys((r.cell.dataset, r.cell.task, r.cell.target) for r in results.scored))
    tasks = [task_section(results, *place) for place in places]
    figures = results.folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for stale in figures.glob("*.*"):
        stale.unlink()
    for section in tasks:
        for panel in section.panels:
            write_text(figures / f"{panel.name}.svg", panel.svg)
            write_text(figures / f"{panel.name}.csv", panel.data.to_csv(index=False, lineterminator="\n"))
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    devices = {run.read("timing.json")["device_name"] for run in results.measured}
    cells, cells_line = cell_rows(results)
    timing = timing_rows(results)
    sections = [(f"task-{at}", section.title) for at, section in enumerate(tasks, start=1)]
    pooled = pooled_rows.shown_rows(results)
    sections += [("pooled", "All folds' patients")] if pooled else []
    external = shown_rows(results)
    sections += [("external", "On another source")] if external else []
    ladder = ladder_rows.shown_rows(results)
    sections += [("ladder", "With more patients")] if ladder else []
    sections += [
        ("time", "Time and cost"),
        *([("projected", "Projected")] if results.projected else []),
        ("data", "Data"),
        ("claims", "Claims"),
        ("cells", "Cells"),
        ("provenance", "Provenance"),
    ]
    html = environment.get_template("page.html").render(
        suite=results.suite,
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        generated=_generated(results),
        caveats=_caveats(results),
        headline=_headline(results, devices),
        sections=sections,
        tasks=tasks,
        pooled=pooled,
        external=external,
        ladder=ladder,
        timing=timing,
        exclusive_note="as far as this workflow goes; foreign work is told in the last column" if timing else "",
        cost=cost_rows(results),
        reached=reached_rows(results),
        storage=storage_table(results),
        projected=projected_rows(results),
        projected_steps=projected_steps(results),
        unpriced=unpriced(results),
        errors=projection_errors(results),
        efficiency=efficiency_rows(results),
        data=data_rows(results),
        quality=[
            [row["dataset"], row["check"], row["action"], row["records"], row["of"], row["example"]]
            for row in read_table("quality", results.table("quality"))
        ],
        made_of=[list(row.values()) for row in read_table("sources", results.table("sources"))],
        leakage=[
            [
                row["dataset"],
                row["task"],
                row["fold"],
                row["split"],
                row["check"],
                row["found"],
                row["allowed"],
                badge(row["verdict"]),
            ]
            for row in read_table("leakage", results.table("leakage"))
        ],
        ledger=ledger_of(results),
        cells=cells,
        cells_line=cells_line,
        provenance=_provenance(results),
        commands=_commands(results),
        version=vitalbench.__version__,
    )
    write_text(results.folder / REPORT, html)
    return results.folder / REPORT
