"""What the examination of a design found, as the page shows it: tables in short, and the failures to look at."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitalbench import layout
from vitalbench.config.plan import SearchPlace
from vitalbench.config.schema import MACRO
from vitalbench.evaluate.calibration import LOWEST, STEEPEST, UNFITTED
from vitalbench.evaluate.operating import SHOWN_RULE
from vitalbench.evaluate.value import exact_ones
from vitalbench.privacy.pictures import withheld
from vitalbench.report.examined_figures import examined_panels
from vitalbench.report.figures import Panel
from vitalbench.report.wording import in_order, metric_name, score
from vitalbench.results import Results
from vitalbench.tables import number, read_table

Row = dict[str, str]
Table = tuple[list[str], list[list[Any]]]
_METHODS = {
    "raw": "as it stands",
    "temperature": "temperature scaling",
    "platt": "a slope and a shift a class",
}
_KINDS = {"miss": "missed", "false-alarm": "false alarm"}


@dataclass(frozen=True)
class Picture:
    """One failure: a PNG in base64, and what is said of it."""

    data: str
    caption: str


@dataclass(frozen=True)
class Examined:
    """Everything the template shows of one examined design."""

    title: str
    folder: str
    note: str
    calibration: Table
    calibration_note: str
    panels: list[Panel]
    operating: Table
    operating_note: str
    rules: Table
    conformal: Table
    disparity: Table
    disparity_note: str
    ensemble: str
    pointing: Table
    pointing_note: str
    pictures: list[Picture]
    gallery_note: str


def _interval(row: Row, name: str) -> Any:
    mean, low, high = (number(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return score(mean, low, high, name in exact_ones(row["interval"]))


def _mean(rows: list[Row], name: str) -> str:
    values = [value for value in (number(row[name]) for row in rows) if value is not None]
    return f"{np.mean(values):.3f}" if values else ""


def _calibration(rows: list[Row]) -> Table:
    found = []
    for method, told in _METHODS.items():
        mine = [row for row in rows if row["method"] == method]
        worst = max(mine, key=lambda row: number(row["ece"]) or 0.0, default=None)
        if worst is not None:
            at_worst = [worst["label"], _interval(worst, "ece")]
            found.append([told, *(_mean(mine, name) for name in ("ece", "brier", "log_loss")), *at_worst])
    return ["Probabilities", "#ECE", "#Brier score", "#log loss", "worst class", "#its ECE"], found


_FITS = {
    UNFITTED: "validation lacks a truth, so the map leaves it as it stands",
    LOWEST: "the slope is at its lower bound: the map says the class's share alone, so its error says nothing of the model",
    STEEPEST: "the slope is at its upper bound: a line splits validation",
}


def _calibration_note(rows: list[Row]) -> str:
    """Which classes' maps are no fit, though the means hold them."""
    of = len({row["label"] for row in rows})
    told = [
        f"With {_METHODS[method]}, of {len(names)} of {of} classes {why}: {', '.join(names)}."
        for method in _METHODS
        for fit, why in _FITS.items()
        if (names := [row["label"] for row in rows if (row["method"], row["fit"]) == (method, fit)])
    ]
    return " ".join([*told, "The means hold these too."]) if told else ""


_POINTS = ["#threshold", "#TP", "#FP", "#FN", "#TN", "#sensitivity", "#specificity", "#PPV", "#NPV"]


def _points(row: Row) -> list[Any]:
    counts = [f"{float(row[name]):,.4g}" for name in ("tp", "fp", "fn", "tn")]
    rates = [_interval(row, name) for name in ("sensitivity", "specificity", "ppv", "npv")]
    fixed = " (fixed)" if row["chosen_on"] == "fixed" else ""
    return [f"{float(row['threshold']):.3f}{fixed}", *counts, *rates]


def _operating_note(rows: list[Row]) -> str:
    """Which classes no validation record chose a threshold for."""
    fixed = list(dict.fromkeys(row["label"] for row in rows if row["chosen_on"] == "fixed"))
    if not fixed:
        return ""
    of = len({row["label"] for row in rows})
    return f"Of {len(fixed)} of {of} classes validation lacks a truth, so the threshold is fixed at 0.5: {', '.join(fixed)}."


def _coverage(row: Row) -> Any:
    """As it was measured, or that there was nothing to measure: sets that hold everything cover everything."""
    return _interval(row, "coverage") if row["bounded"] == "true" else "all, by construction"


def _conformal(rows: list[Row]) -> Table:
    head = ["Class", "truth", "#asked for", "#covered", "#one truth", "#both", "#none", "#records", "#calibrated on"]
    return head, [
        [row["label"], row["truth"], row["level"], _coverage(row)]
        + [f"{float(row[name]):.2f}" if row[name] else "" for name in ("decided", "undecided", "empty")]
        + [row["n_records"], row["n_calibration"]]
        for row in rows
    ]


def _disparity(rows: list[Row]) -> Table:
    head = [
        "Subgroup",
        "metric",
        "#in it",
        "#elsewhere",
        "#difference",
        "#corrected p",
        "#patients",
        "#the rest",
        "#classes",
    ]
    return head, [
        [_subgroup(row), metric_name(row["metric"])]
        + [f"{float(row[name]):.3f}" for name in ("value", "rest")]
        + [_interval(row, "difference"), f"{float(row['p_corrected']):.3f}" if row["p_corrected"] else ""]
        + [row["n_patients"], row["n_rest"], row["n_labels"]]
        for row in sorted(rows, key=lambda row: in_order(row["subgroup"]))
        if row["label"] == MACRO and row["value"]
    ]


def _subgroup(row: Row) -> str:
    return row["subgroup"].replace("=", ": ").replace("_", " ")


def _disparity_note(rows: list[Row]) -> str:
    """Which subgroups are not compared, and why."""
    without = sorted(
        (row for row in rows if row["reason"] and not row["value"]), key=lambda row: in_order(row["subgroup"])
    )
    if not without:
        return ""
    return f"Not compared: {_by_reason([(_subgroup(row), row['reason']) for row in without])}."


def _by_reason(told: list[tuple[str, str]]) -> str:
    """Names and why, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for name, why in told:
        reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())


def _ensemble(rows: list[Row]) -> str:
    row = next((row for row in rows if row["label"] == MACRO), None)
    if row is None or not row["gain"]:
        return ""

    def said(name: str, sign: float = 1) -> str:
        value, *ends = (sign * float(row[key]) for key in (name, f"{name}_low", f"{name}_high") if row[key])
        return f"{value:.3f}" + (f" ({min(ends):.3f} to {max(ends):.3f})" if ends else "")

    less = float(row["gain"]) < 0
    told = (
        f"The mean of {row['members']} runs, which is what is examined, has a macro AUROC of {said('auroc')}, "
        + (f"{said('gain', -1)} less" if less else f"{said('gain')} more")
        + " than they have alone."
    )
    if not row["errors_by_entropy"]:
        return f"{told} No decision at 0.5 was wrong."
    return (
        f"{told} As an AUROC, its entropy tells wrong decisions at 0.5 from right ones by "
        f"{float(row['errors_by_entropy']):.3f}, their disagreement by {float(row['errors_by_disagreement']):.3f}."
    )


def _pointing(rows: list[Row]) -> Table:
    head = [
        "Class",
        "#peak in its place",
        "#by chance",
        "#more than chance",
        "#light in its place",
        "#places",
        "#patients",
    ]
    return head, [
        [
            "all" if row["label"] == MACRO else row["label"],
            _interval(row, "accuracy"),
            f"{float(row['chance']):.3f}" if row["chance"] else "",
            _interval(row, "gain"),
            _interval(row, "inside"),
            row["n_records"],
            row["n_patients"],
        ]
        for row in rows
    ]


def _pictures(rows: list[Row], folder: Path, why_not: str) -> list[Picture]:
    """The pictures that lie there; none where they are withheld, whatever an earlier job left."""
    found: list[Picture] = []
    if why_not:
        return found
    for row in rows:
        file = folder / row["picture"]
        if not row["picture"] or not file.is_file():
            continue
        said, limit = (float(row[name]) for name in ("probability", "threshold"))
        told = (
            f"{row['label']}, {_KINDS[row['kind']]}: probability {said:.3f}, threshold {limit:.3f}. {row['record_id']}"
        )
        found.append(Picture(b64encode(file.read_bytes()).decode("ascii"), told))
    return found


def _gallery_note(rows: list[Row], generated: bool, why_not: str, ran: bool) -> str:
    if not rows:
        return "No decision was wrong." if ran else "No run left predictions to choose from."
    origin = "The records are generated: these are not pictures of people. " if generated else ""
    reasons = "; ".join(dict.fromkeys(why_not or row["reason"] for row in rows if why_not or row["reason"]))
    chosen = (
        "Of each class the test record that was most surely wrong, of those the surest misses and false alarms of run"
    )
    red = " Red is where the logit of the class named came from (Grad-CAM)."
    blue = " Blue is where the class is known to be."
    return (
        f"{origin}{chosen} {rows[0]['run_id']}."
        + (red if not why_not and any(row["map"] == "true" for row in rows) else "")
        + (blue if not why_not and any(row["picture"] and (number(row["told"]) or 0) > 0 for row in rows) else "")
        + (f" {reasons[0].upper()}{reasons[1:]}." if reasons else "")
    )


def examined_section(results: Results, place: SearchPlace) -> Examined | None:
    """What the examination of a place left; None where nothing was examined yet."""
    folder = results.examination(place)
    if not (folder / "operating.csv").is_file() or not (folder / "gallery.csv").is_file():
        return None

    def read(name: str) -> list[Row]:
        return read_table(name, folder / f"{name}.csv")

    source = results.suite["sources"][place.dataset]
    why_not = withheld(results.dataset(place.dataset), source)
    operating, calibration, gallery = map(read, ("operating", "calibration", "gallery"))
    disparity, pointing = read("disparity"), read("pointing")
    runs = [run for run in results.examined[place] if run.measured]
    seeds = "all seeds together" if len(runs) > 1 else f"seed {runs[0].cell.seed}" if runs else "no run"
    fold = f", fold {place.fold}" if place.fold else ""
    return Examined(
        title=f"{place.design} examined",
        folder=layout.EXAMINED.format(**place.keys),
        note=f"{seeds[0].upper()}{seeds[1:]}{fold}: thresholds and maps are chosen on the validation records, "
        "what is told is of the test records. Intervals are of resamples of the patients; those called exact are Clopper and "
        "Pearson's, where all records or none count.",
        calibration=_calibration(calibration),
        calibration_note=_calibration_note(calibration),
        panels=examined_panels("-".join(map(str, place.keys.values())), pd.read_csv(folder / "curves.csv"), _METHODS),
        operating=(
            ["Class", *_POINTS],
            [[row["label"], *_points(row)] for row in operating if row["rule"] == SHOWN_RULE],
        ),
        operating_note=_operating_note(operating),
        rules=(
            ["Class", "rule", *_POINTS],
            [[row["label"], row["rule"], *_points(row)] for row in operating if row["rule"] != SHOWN_RULE],
        ),
        conformal=_conformal(read("conformal")),
        disparity=_disparity(disparity),
        disparity_note=_disparity_note(disparity),
        ensemble=_ensemble(read("ensemble")),
        pointing=_pointing(pointing),
        pointing_note=_by_reason([(row["label"], row["reason"]) for row in pointing if row["reason"]]),
        pictures=_pictures(gallery, folder, why_not),
        gallery_note=_gallery_note(gallery, source == "generated", why_not, bool(runs)),
    )
