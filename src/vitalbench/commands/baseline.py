"""Write what a suite scored and how fast it was into baselines/<suite>/<device>.json, with the reason."""

import argparse
from pathlib import Path

from vitalbench.commands.check import BASELINES
from vitalbench.config.gate import Gate
from vitalbench.config.strict import validated
from vitalbench.errors import GateError, InputError
from vitalbench.gate.baseline import path_of, read_baseline, write_baseline
from vitalbench.gate.benchmarks import SUITE, sessions_in, together
from vitalbench.gate.ended import problems
from vitalbench.gate.found import Found, found_in
from vitalbench.gate.rerun import Rerun
from vitalbench.gate.update import MOST_JOBS, refuse, updated
from vitalbench.measure.clock import utc_now
from vitalbench.progress import say
from vitalbench.results import Results


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=["update"], help="write the baseline anew, or with --add widen it")
    parser.add_argument("--results", type=Path, help="results/<suite>")
    parser.add_argument(
        "--benchmarks",
        type=Path,
        action="append",
        metavar="FILE",
        help="instead: what `pytest --benchmark-json FILE` wrote; of several sessions where it is named again",
    )
    parser.add_argument("--reason", required=True, help="why; it is kept with the baseline")
    parser.add_argument("--add", action="store_true", help="keep the seeds and measuring jobs that are in it")
    parser.add_argument(
        "--prune", action="store_true", help="with --add: remove what is in it and not in these results"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="measure each design N - 1 times more: what jobs vary is part of it",
    )
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="default: baselines/<suite>/<device>.json")


def _measured_again(found: Found, results: Results, jobs: int) -> str:
    """Add a value a measuring job to what was found, and tell why that ended early: what was measured until then counts."""
    again = Rerun(results, found.device)
    for further in range(1, jobs):
        for at, key in enumerate(found.keys):
            try:
                measured = again.speed(key, further)
            except InputError as error:
                return f"further job {further} of {jobs - 1} did not run: {error}"
            if measured is None or measured[1]:
                continue
            row = found.speed[at]
            calm = [] if key in found.disturbed else row.jobs
            found.speed[at] = row.of([*calm, *measured[0].jobs])
            found.disturbed.discard(key)
    return ""


def run(args: argparse.Namespace) -> None:
    """Update."""
    if (args.results is None) == (args.benchmarks is None):
        raise InputError("vitalbench baseline: needs --results results/<suite>, or --benchmarks FILE")
    if not args.reason.strip():
        raise InputError("vitalbench baseline: --reason is empty; a baseline says why it is what it is")
    if not args.reason.isprintable():
        raise InputError("vitalbench baseline: --reason is not printable text in one line; it is shown beside verdicts")
    if not 1 <= args.jobs <= MOST_JOBS:
        raise InputError(f"vitalbench baseline: --jobs {args.jobs}; allowed: 1 to {MOST_JOBS}")
    if args.prune and not args.add:
        raise InputError("vitalbench baseline: --prune is about --add; without it what is gone goes anyway")
    if args.benchmarks and args.jobs > 1:
        raise InputError(
            "vitalbench baseline: --jobs is about --results; of benchmarks each session is named, --benchmarks FILE"
        )
    if args.benchmarks:
        results, suite, found = None, SUITE, together(sessions_in(args.benchmarks, MOST_JOBS))
    else:
        results = Results(args.results)
        suite = results.suite["suite"]
        if bad := problems(results):
            raise GateError(
                f"{args.results}: {bad[0]}; {len(bad)} in all: no baseline is written of a suite that the gate refuses"
            )
        gate = validated(Gate, results.suite.get("gate", {}), args.results)
        found = found_in(results, list(gate.metrics))
    path = args.baseline or path_of(BASELINES, suite, found.device)
    if path.is_dir():
        raise InputError(f"--baseline {path}: a folder; name a file")
    old = read_baseline(path) if path.is_file() else None
    refuse(old, found, suite, args.add, path)  # before minutes are spent on measuring
    ended = _measured_again(found, results, args.jobs) if results else ""
    try:
        made = updated(old, found, suite, args.reason.strip(), utc_now()[:10], args.add, args.prune)
        write_baseline(path, made.baseline)
    except InputError as error:
        raise InputError(f"{error}; {ended}" if ended else str(error)) from None
    say(f"{path}: {len(made.baseline.accuracy)} metrics, {len(made.baseline.speed)} phases")
    gone = "kept, though not in these results (--prune removes it)" if made.gone_stay else "no longer in it"
    for what, rows in (
        ("kept as it was, since foreign work disturbed it now", made.disturbed),
        ("left out, since foreign work disturbed it: measure again on an idle machine", made.left_out),
        (gone, made.gone),
        ("of fewer seeds or measuring jobs than before (--add keeps those)", made.narrower),
    ):
        if rows:
            say(f"{what}: {'; '.join(rows)}")
    if ended:
        raise InputError(f"{ended}; what was measured before is in {path}")
