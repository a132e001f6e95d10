"""The section of one task on one data set and target: the answer, the tables, the figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vitalbench.report.examined_section import Examined, examined_section
from vitalbench.report.figures import Panel
from vitalbench.report.pareto import front
from vitalbench.report.pick import Pick, pick
from vitalbench.report.published import published
from vitalbench.report.search_rows import searched_rows
from vitalbench.report.task_data import TaskData
from vitalbench.report.task_figures import more_panels, roc_panels, score_panels, test_predictions
from vitalbench.report.task_tables import class_table, group_table, main_table, pair_rows
from vitalbench.report.wording import count, metric_name, split_words
from vitalbench.results import Results

_MOST_CEILINGS = 8  # classes whose ceiling the note spells out


@dataclass
class TaskSection:
    """Everything the template shows of one task."""

    title: str
    description: str
    split: str
    metric_name: str
    margin: str
    pick: Pick
    note: str
    front: str
    main: tuple[list[str], list[dict[str, Any]]]
    searches: list[list[Any]]
    pairs: list[list[Any]]
    classes: tuple[list[str], list[list[Any]]]
    classes_note: str
    groups: tuple[list[str], list[list[Any]]]
    score_panels: list[Panel]
    roc_panels: list[Panel]
    more_panels: list[Panel]
    examined: list[Examined]

    @property
    def panels(self) -> list[Panel]:
        """Every figure of the section."""
        examined = [panel for found in self.examined for panel in found.panels]
        return [*self.score_panels, *self.roc_panels, *self.more_panels, *examined]


def _split_line(data: TaskData) -> str:
    counted = [
        f"{name} {count(records)} records of {count(patients)} patients"
        for name, (records, patients) in data.split_sizes.items()
    ]
    rule = "dropped, as the published benchmark does" if data.task.unlabelled == "drop" else "kept with no class"
    how = split_words(data.task.split, data.results.dataset(data.dataset).carry)
    several = f" in fold {data.folds[0]}, the first of {len(data.folds)}" if len(data.folds) > 1 else ""
    return f"Split by {how}: {', '.join(counted)}{several}; records without a label are {rule}."


def _note(data: TaskData) -> str:
    note = (
        f"Test patients only; macro is the mean over {_classes(data)}. Grey rows are controls; "
        "the lower ones have to be beaten. The interval is over patients, ± over seeds. "
        + (f"Means are over {len(data.folds)} folds, counts are added over them. " if len(data.folds) > 1 else "")
        + "Training time is measured step x steps; one record is a batch of one."
        + _starts(data)
    )
    if not data.ceiling:
        return note
    named = ", ".join(f"{name} {value:.3f}" for name, value in list(data.ceiling.items())[:_MOST_CEILINGS])
    mean = np.mean(list(data.ceiling.values()))
    return (
        f"{note} The generator's parameters put the attainable macro AUROC at {mean:.3f} ({named}); "
        "ideal-observer is that optimum on these very patients."
    )


def _classes(data: TaskData) -> str:
    limit, asked = data.task.rare_below, len(data.positives) or len(data.task.classes)
    rare = f", those that fewer than {100 * limit:g} % of the training patients carry" if limit is not None else ""
    return f"{asked} classes{rare}"


def _starts(data: TaskData) -> str:
    """Which designs start from another's encoder, and what that one's training costs, which is not in theirs."""
    told: dict[str, list[str]] = {}
    for design in data.designs:
        start = data.results.suite["designs"][design].get("pretrained")
        if start:
            told.setdefault(start, []).append(design)
    said = []
    for start, designs in told.items():
        usd = data.usd(start)
        price = (
            f", whose own training ({usd:.2g} USD) is not in theirs"
            if usd is not None
            else ", whose training is not in theirs"
        )
        said.append(f" {', '.join(designs)} start{'s' if len(designs) == 1 else ''} from {start}{price}.")
    return "".join(said)


def _front(data: TaskData) -> str:
    """Which designs no other one beats in score, cost of training and time of a record at once; or why that cannot be said."""
    sign = 1 if data.task.direction == "lower" else -1
    axes = f"macro {metric_name(data.task.primary)}, USD of training and time of one record"
    points, lacking = {}, []
    for design in (name for name in data.designs if not data.is_control(name)):
        score, usd, latency = data.primary(design), data.usd(design), data.latency(design)
        if score is not None and usd is not None and latency is not None:
            points[design] = (sign * score, usd, latency)
            continue
        known = {"score": score, "price": usd, "time of a batch of one": latency}
        lacking.append(f"{design} has no {' and no '.join(name for name, value in known.items() if value is None)}")
    if len(points) < 2:
        few = f"of {len(points) or 'no'} design{'' if len(points) == 1 else 's'} all three are known"
        unpriced = (
            f"; target {data.target} names no price" if not data.results.suite["targets"][data.target]["prices"] else ""
        )
        return f"No front of {axes}: {few}{''.join(f'; {told}' for told in lacking)}{unpriced}."
    beaten = front(points)
    on = [name for name, rival in beaten.items() if not rival]
    off = [f"{name}, behind {rival}" for name, rival in beaten.items() if rival]
    said = f"On the front of {axes}: {', '.join(on)}" + (f"; off it: {'; '.join(off)}" if off else "")
    left_out = f" Left out: {'; '.join(lacking)}." if lacking else ""
    return f"{said}. By the means above; intervals may overlap.{left_out}"


def _pick(data: TaskData) -> Pick:
    scores = {
        design: value
        for design in data.designs
        if not data.is_control(design) and (value := data.primary(design)) is not None
    }
    return pick(
        data.primary_pairs,
        scores,
        data.lower_controls,
        data.hours,
        higher=data.task.direction == "higher",
        metric=f"macro {metric_name(data.task.primary)}",
        patients=data.patients,
    )


def task_section(results: Results, dataset: str, task: str, target: str, *, figures: bool = True) -> TaskSection:
    """Gather a task's section from the tables and, for its figures, the runs."""
    data = TaskData(results, dataset, task, target)
    scored, others = test_predictions(data) if figures else [], published(data)
    several = len(results.suite["targets"]) > 1
    return TaskSection(
        title=f"{results.suite['datasets'][dataset]['title']}: {task}" + (f" on {target}" if several else ""),
        description=data.task.description.rstrip("."),
        split=_split_line(data),
        metric_name=metric_name(data.task.primary),
        margin=f"{data.task.margin:g}",
        pick=_pick(data),
        note=_note(data),
        front=_front(data),
        main=main_table(data),
        searches=searched_rows(results, dataset, task, target),
        pairs=pair_rows(data),
        classes=class_table(data, others),
        classes_note=others.note,
        groups=group_table(data),
        score_panels=score_panels(data) if figures else [],
        roc_panels=roc_panels(data, scored) if figures else [],
        more_panels=more_panels(data, scored) if figures else [],
        examined=[found for place in data.examined if (found := examined_section(results, place))] if figures else [],
    )
