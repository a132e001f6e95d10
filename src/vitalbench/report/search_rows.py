"""What the searches of a suite left, as rows: of search.csv, and of the page."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from markupsafe import Markup

from vitalbench import layout
from vitalbench.config.plan import SearchPlace
from vitalbench.files import read_json, to_json
from vitalbench.results import Results
from vitalbench.tables import number, read_table

Row = dict[str, Any]


def _shown(parameters: Row) -> str:
    return " ".join(to_json(parameters).split())


def _trial_rows(results: Results, place: SearchPlace) -> Iterator[Row]:
    folder = results.search(place)
    chosen = read_json(results.folder / layout.CHOSEN.format(**place.keys))
    for name in chosen["files"]:
        told = read_json(folder / name)
        timing = (folder / name).with_name("timing.json")
        read = told.get("read", {})
        yield {
            **place.keys,
            **{key: told[key] for key in ("trial", "round", "status", "reason", "metric", "value", "seed")},
            "parameters": _shown(told["parameters"]),
            "epochs": told.get("facts", {}).get("epochs"),
            "seconds": read_json(timing)["seconds"] if timing.is_file() else None,
            "records_read": read.get("records"),
            "records_sha256": read.get("sha256"),
            "chosen": told["trial"] == chosen["trial"],
        }


def search_rows(results: Results) -> Iterator[Row]:
    """A row a trial of every search that has ended."""
    for place in results.searches:
        if (results.folder / layout.CHOSEN.format(**place.keys)).is_file():
            yield from _trial_rows(results, place)


def searched_rows(results: Results, dataset: str, task: str, target: str) -> list[list[Any]]:
    """For the page, a row a search: what was chosen, out of how many trials, and how far it stands out from them."""
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_table("search", results.table("search")):
        if (row["dataset"], row["task"], row["target"]) == (dataset, task, target):
            rows.setdefault((row["design"], row["fold"]), []).append(row)
    found = []
    for (design, fold), trials in rows.items():
        values = [value for value in (number(trial["value"]) for trial in trials) if value is not None]
        best = next((trial for trial in trials if trial["chosen"] == "true"), None)
        seconds = sum(number(trial["seconds"]) or 0.0 for trial in trials)
        values_chosen = json.loads(best["parameters"]).items() if best else ()
        parameters = Markup("<br>").join(f"{key} {value}" for key, value in values_chosen) or trials[0]["reason"]
        found.append(
            [
                design,
                fold,
                f"{len(trials)}, {len(trials) - len(values)} of them failed"
                if len(values) < len(trials)
                else len(trials),
                parameters,
                f"{float(best['value']):.3f}" if best else "",
                f"{np.median(values):.3f}" if values else "",
                f"{seconds:,.0f} s",
            ]
        )
    return found
