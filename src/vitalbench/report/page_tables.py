"""The tables of the page that are not about one task."""

from collections import Counter
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from vitalbench.files import read_json
from vitalbench.report.wording import badge, count, plain, seconds
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
                {"true": "yes", "false": "no"}.get(row["disturbed"], "not watched"),
            ]
        )
    return rows


def cost_rows(results: Results) -> list[list[Any]]:
    """The first run of each design at every price."""
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
                Markup('<span class="nowrap">{}</span>').format(row["price_date"]),
                f"{hours:.5f}",
                f"{usd:.6f}",
                f"{low:.6f} to {high:.6f}",
                row["basis"],
            ]
        )
    return rows


def data_rows(results: Results) -> list[list[Any]]:
    """A row a data set: what it is here."""
    rows = []
    for name, dataset in results.suite["datasets"].items():
        folder = results.data(name)
        manifest = read_json(folder / "manifest.json") if folder and (folder / "manifest.json").is_file() else None
        if manifest is None:
            rows.append([dataset["title"], dataset["version"], "none here", "", "", dataset["licence"]])
            continue
        source = manifest["release"]["source"]
        kinds = {"generated": "generated stand-in", "local": "local release", "download": "downloaded release"}
        shown = kinds[source]
        if source != "generated" and not manifest["release"]["complete"]:
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


def claim_rows(results: Results) -> tuple[list[list[Any]], str]:
    """A row a reported number, and the counts by verdict."""
    rows = read_table("claims", results.table("claims"))
    counts = Counter(row["verdict"] for row in rows)
    shown = []
    for row in rows:
        found = number(row["measured"]) if row["measured"] else number(row["published"])
        why = Markup("<br>").join(escape(text) for text in (row["evidence"], row["reason"]) if text)
        shown.append(
            [
                Markup("{}<br>").format(row["location"]) + Markup('<span class="soft">{}</span>').format(row["source"]),
                f"{plain(float(row['reported']))} {row['unit']}",
                "" if found is None else f"{plain(found)} {row['unit']}",
                badge(row["verdict"]),
                why,
            ]
        )
    return shown, f"{len(rows)} reported numbers: " + ", ".join(
        f"{n} {verdict}" for verdict, n in sorted(counts.items())
    ) + "."


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
