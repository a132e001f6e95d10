"""The view of a suite at work, for a terminal of any width: what runs, what it has cost, and how the rest stands."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.text import Text

from vitalbench.amounts import shown_age, shown_size, shown_usd
from vitalbench.watch.cells import GONE, INTERRUPTED, RUNNING, UNREADABLE, WAITING, Seen
from vitalbench.watch.progress_file import Progress, Training

_BAR = 24
_ENDED_SHOWN = 12
_STYLES = {RUNNING: "bold cyan", "measured": "green", WAITING: "dim", INTERRUPTED: "yellow"}
_GAP = "   "
_HEEDED = (GONE, UNREADABLE, "failed", "refused", INTERRUPTED)


def plain(text: str) -> str:
    """A text from a file, without anything that a terminal would obey.

    >>> plain("a\\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class _Line:
    """Items side by side, over as many lines as they need, each kept whole where a line is wide enough for it."""

    def __init__(self, items: Iterable[str], style: str = "") -> None:
        self._items, self._style = list(items), style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = ""
        for item in self._items:
            if line and len(line) + len(_GAP) + len(item) > options.max_width:
                yield Text(line, style=self._style, overflow="fold")
                line = ""
            line += (_GAP if line else "") + item
        yield Text(line, style=self._style, overflow="fold")


def _usd(progress: Progress, seconds: float) -> float:
    return seconds / 3600 * (progress.usd_per_hour or 0.0)


def _numbers(progress: Progress, training: Training) -> list[str]:
    found = [
        ("loss", training.loss, "{:.4f}"),
        ("validation loss", training.val_loss, "{:.4f}"),
        (f"validation {plain(training.metric)}", training.val_metric, "{:.4f}"),
        ("", training.records_per_s, "{:,.0f} records/s"),
    ]
    told = [f"{name} {form.format(value)}".strip() for name, value, form in found if value is not None]
    return told + _memory(progress)


def _memory(progress: Progress) -> list[str]:
    of = f" in the first of {progress.processes} processes" if progress.processes > 1 else ""
    return [f"{shown_size(progress.memory_bytes)} of host memory{of}"] if progress.memory_bytes else []


def _gpus(progress: Progress) -> list[str]:
    return [
        f"{plain(gpu.name)} {gpu.use:.0%} busy, {shown_size(gpu.memory)} of {shown_size(gpu.memory_total)}"
        for gpu in progress.gpus
    ]


def _time(progress: Progress) -> list[str]:
    left = progress.training.left_s if progress.training else None
    told = [f"{shown_age(progress.seconds)} so far"]
    if left is not None:
        told.append(f"{shown_age(left)} left (projected)")
    if progress.budget_hours is not None:
        in_all = (progress.seconds + (left or 0.0)) / 3600
        told.append(f"budget {progress.budget_hours:g} h{_short(in_all, progress.budget_hours)}")
    return told


def _short(in_all: float, budget: float) -> str:
    return ": not enough (projected)" if in_all > budget else ""


def _cost(progress: Progress) -> list[str]:
    left = progress.training.left_s if progress.training else None
    if progress.usd_per_hour is None:
        hours = [f"{progress.seconds / 3600:.3g} h so far"]
        hours += [f"{(progress.seconds + left) / 3600:.3g} h in all (projected)"] if left is not None else []
        return [*hours, "no price: its target names none"]
    told = [f"{shown_usd(_usd(progress, progress.seconds))} so far"]
    if left is not None:
        told.append(f"{shown_usd(_usd(progress, progress.seconds + left))} in all (projected)")
    if progress.budget_usd is not None:
        in_all = _usd(progress, progress.seconds + (left or 0.0))
        told.append(f"budget {progress.budget_usd:g} USD{_short(in_all, progress.budget_usd)}")
    return [*told, f"at {progress.usd_per_hour:g} USD/h ({plain(progress.price_key)})"]


def _bar(progress: Progress) -> RenderableType:
    training = progress.training
    if training is None:
        return Text(progress.stage)
    total = max(training.epochs * training.batches, 1)
    done = (training.epoch - 1) * training.batches + training.batch if training.epoch else 0
    place = f"epoch {training.epoch} of {training.epochs}, batch {training.batch} of {training.batches}"
    stage = "" if progress.stage == "training" else f"; {progress.stage}"
    bar = ProgressBar(total=total, completed=min(done, total), width=_BAR)
    return Columns([bar, Text(f"{place}{stage}")])


def _running(seen: Seen) -> RenderableType:
    progress = seen.progress
    if progress is None:
        return Text(plain(seen.path))
    beside = "" if seen.planned else "   not in the plan as last resolved"
    lines: list[RenderableType] = [
        Text(plain(seen.path) + beside, style=_STYLES[RUNNING], overflow="fold"),
        _bar(progress),
    ]
    numbers = _numbers(progress, progress.training) if progress.training else _memory(progress)
    lines += [_Line(items) for items in (numbers, _gpus(progress), _time(progress), _cost(progress)) if items]
    return Group(*lines, Text())


def _other(seen: Seen) -> Text:
    progress = seen.progress
    told = [seen.state]
    if progress:
        told.append(shown_age(progress.seconds))
        told += [shown_usd(_usd(progress, progress.seconds))] if progress.usd_per_hour is not None else []
    line = Text(f"{plain(seen.path)}  ", overflow="fold")
    line.append(plain("  ".join(told)), style=_STYLES.get(seen.state, "bold red"))
    if seen.reason:
        line.append(f"  {plain(seen.reason)}")
    return line


def _foremost(cells: Sequence[Seen]) -> list[Seen]:
    """First what someone may have to see to, then what has run, the latest first, then what the plan did not let begin."""
    latest = sorted(cells, key=lambda seen: seen.progress.written if seen.progress else "", reverse=True)
    return sorted(latest, key=lambda seen: 0 if seen.state in _HEEDED else 1 if seen.progress else 2)


def _heading(name: str, cells: Sequence[Seen], budget_usd: float | None) -> RenderableType:
    counts = Counter(seen.state for seen in cells)
    order = [RUNNING, WAITING, INTERRUPTED, GONE, UNREADABLE]
    states = [*(state for state in order if counts[state]), *sorted(set(counts) - set(order))]
    told = [seen.progress for seen in cells if seen.progress]
    hours = sum(progress.seconds + progress.other_seconds for progress in told) / 3600
    usd = sum(_usd(progress, progress.seconds + progress.other_seconds) for progress in told)
    unpriced = " without the cells that have no price" if any(p.usd_per_hour is None for p in told) else ""
    items = [f"{counts[state]} {plain(state)}" for state in states]
    items.append(f"{hours:.3g} h and {shown_usd(usd)} of training jobs so far{unpriced}")
    items += [f"budget of the suite {budget_usd:g} USD"] if budget_usd is not None else []
    return Group(Text(name, style="bold", overflow="fold"), _Line(items))


def view(name: str, cells: Sequence[Seen], budget_usd: float | None = None) -> RenderableType:
    """The whole view of a suite's cells.

    Args:
        name: of the suite's folder.
        budget_usd: for all the suite's training jobs together; None without one.
    """
    running = [seen for seen in cells if seen.state == RUNNING]
    quiet = _foremost([seen for seen in cells if seen.state not in (RUNNING, WAITING)])
    lines: list[RenderableType] = [_heading(plain(name), cells, budget_usd), Text(), *map(_running, running)]
    lines += [_other(seen) for seen in quiet[:_ENDED_SHOWN]]
    if len(quiet) > _ENDED_SHOWN:
        lines.append(Text(f"and {len(quiet) - _ENDED_SHOWN} more", style="dim"))
    waiting = [seen for seen in cells if seen.state == WAITING]
    if waiting:
        lines.append(
            Text(
                f"waiting: {', '.join(plain(seen.path) for seen in waiting[:3])}" + (" ..." if len(waiting) > 3 else "")
            )
        )
    return Group(*lines)
