"""The last gates of a suite: exit 1 where a cell failed, a split leaks, or accuracy or speed left the baseline."""

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import Any

from vitalbench.config.gate import Gate
from vitalbench.config.strict import validated
from vitalbench.errors import GateError, InputError, plain, refuse_beside
from vitalbench.files import write_json
from vitalbench.gate.again import MOST_FURTHER, Again
from vitalbench.gate.baseline import Baseline, path_of, read_baseline
from vitalbench.gate.benchmarks import SUITE, Sessions, in_turn, sessions_in
from vitalbench.gate.check import Row, check, not_judged
from vitalbench.gate.ended import problems
from vitalbench.gate.found import Found, found_in
from vitalbench.gate.rerun import Rerun
from vitalbench.gate.told import annotations, as_json, counted, line, summary, unjudged
from vitalbench.layout import CHECKED, GATED, SUITE_SLICE
from vitalbench.progress import say
from vitalbench.report.receipt import suite_chain
from vitalbench.results import Results

BASELINES = Path("baselines")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, help="results/<suite>")
    parser.add_argument("--cells-only", action="store_true", help="look at cells and splits, at no baseline")
    parser.add_argument(
        "--benchmarks",
        type=Path,
        action="append",
        metavar="FILE",
        help="instead: what `pytest --benchmark-json FILE` wrote; a further session confirms the first where it is named too",
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="default: baselines/<suite>/<device>.json, where there is one"
    )
    parser.add_argument(
        "--no-rerun",
        action="store_true",
        help=f"take the first verdict, without another run (else: up to {MOST_FURTHER} measuring jobs a design, and where seeds "
        "leave an accuracy open a training of each that the baseline has)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, for machines")
    parser.add_argument(
        "--github",
        action="store_true",
        help="annotations and a summary for GitHub Actions (default where its runner is)",
    )


def _ended(results: Results) -> None:
    """Refuse a suite with a bad cell or a leak."""
    counts = Counter(result.status for result in results.cells)
    say(f"{len(results.cells)} cells: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    found = problems(results)
    for problem in found:
        say(plain(problem))
    if found:
        for earlier in (CHECKED, GATED):
            (results.folder / earlier).unlink(missing_ok=True)
        several = f"{len(found)} problems" if len(found) > 1 else "1 problem"
        raise GateError(f"{results.folder}: {several}; the tables and the page are made, the gate says no")
    write_json(results.folder / CHECKED, {"cells": dict(counts), "chain": suite_chain(results.folder)})


def _baseline(args: argparse.Namespace, suite: str, found: Found) -> tuple[Path, Baseline] | None:
    """The baseline to hold against; None where none is named and there is none for this device."""
    path: Path = args.baseline or path_of(BASELINES, suite, found.device)
    if not path.is_file() and args.baseline is None:
        return None
    baseline = read_baseline(path)
    if baseline.suite != suite:
        raise InputError(f"{path}: is of the suite '{baseline.suite}', and these results are of '{suite}'")
    if baseline.device != found.device:
        raise InputError(
            f"{path}: is of '{baseline.device}', and these results are of '{found.device}': speeds of two devices are not compared"
        )
    return path, baseline


def _sessions(files: list[Path]) -> tuple[Found, Again | None]:
    """The first measurement of each benchmark, and those that confirm it."""
    first, *further = in_turn(sessions_in(files, 1 + MOST_FURTHER))
    return first, Sessions(further) if further else None


def _tell(args: argparse.Namespace, rows: list[Row], new: list[str], path: Path, device: str) -> dict[str, Any]:
    verdict = as_json(rows, str(path), device, new)
    for row in sorted(rows, key=lambda row: row.judged.verdict != "fail"):
        say(line(row))
    if new:
        say(unjudged(new))
    if args.json:
        write_json(args.json, verdict)
    if args.github or os.environ.get("GITHUB_ACTIONS") == "true":
        for told in annotations(rows, new):
            print(told)
        shown = os.environ.get("GITHUB_STEP_SUMMARY")
        if shown:
            with Path(shown).open("a", encoding="utf-8") as stream:
                stream.write(summary(rows, new))
    return verdict


def run(args: argparse.Namespace) -> None:
    """Check."""
    if args.json and (args.json.is_dir() or not next(path for path in args.json.parents if path.exists()).is_dir()):
        raise InputError(f"--json {args.json}: no file can be written there")
    if args.cells_only:
        others = {
            "--json": args.json,
            "--baseline": args.baseline,
            "--no-rerun": args.no_rerun,
            "--github": args.github,
        }
        refuse_beside("vitalbench check: --cells-only", others | {"--benchmarks": args.benchmarks})
    if args.benchmarks:
        refuse_beside("vitalbench check: --benchmarks", {"--no-rerun": args.no_rerun})
    if (args.results is None) == (args.benchmarks is None):
        raise InputError("vitalbench check: needs --results results/<suite>, or --benchmarks FILE")
    if args.benchmarks:
        name, found, again = SUITE, *_sessions(args.benchmarks)
        gate, tasks = Gate(), {}
    else:
        results = Results(args.results)
        _ended(results)
        if args.cells_only:
            return
        if args.baseline is None:  # a gate that says no leaves no word of an earlier yes
            (args.results / GATED).unlink(missing_ok=True)
        name, tasks = results.suite["suite"], {task: results.task(task).model_dump() for task in results.suite["tasks"]}
        gate = validated(Gate, results.suite.get("gate", {}), f"{args.results / SUITE_SLICE}: gate")
        found = found_in(results, list(gate.metrics))
        again = None if args.no_rerun else Rerun(results, found.device)
    held = _baseline(args, name, found)
    if held is None:
        where = path_of(BASELINES, name, found.device)
        say(
            f"no baseline for {name} on {found.device}: nothing is held against one; `vitalbench baseline update` writes {where}"
        )
        verdict = as_json([], None, found.device)
        if args.json:
            write_json(args.json, verdict)
    else:
        path, baseline = held
        rows = check(baseline, found, gate, tasks, again)
        verdict = _tell(args, rows, not_judged(baseline, found), path, found.device)
        say(f"{name} against {path}: {counted(rows)}")
        if verdict["verdict"] == "fail":
            if args.benchmarks and len(args.benchmarks) == 1:
                say("one session; a second one confirms or clears a failure: `--benchmarks FILE --benchmarks SECOND`")
            raise GateError(f"{path}: {counted(rows)}; if this change is meant, `vitalbench baseline update` says why")
    if args.results and args.baseline is None:  # held against another baseline, the suite's own has said nothing
        write_json(args.results / GATED, verdict)
