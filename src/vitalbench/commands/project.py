"""Project a step time from one device to others, with an interval; or say how far such projections are off.

Fitted to published times (configs/projection); docs/METHODS.md says how, and what was not among them.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.published import TIMINGS, Device, parse_published, published_texts
from vitalbench.cost.held_out import by_pair, held_out
from vitalbench.cost.projector import LEVEL, Projector
from vitalbench.cost.sheets import sheets_of
from vitalbench.errors import ConfigError, choices, refuse_beside
from vitalbench.files import read_json
from vitalbench.layout import STAGE_SLICE
from vitalbench.progress import say
from vitalbench.tables import write_table

_CAVEAT = "steps in fp32 without TF32; from a CPU, by the ratio of peaks alone, an order of magnitude"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--seconds", type=float, metavar="S", help="of a step, measured in fp32 on --from")
    parser.add_argument("--from", dest="source", metavar="NAME", help="a target, or a device of configs/projection")
    parser.add_argument("--to", nargs="+", metavar="NAME", help="the same; default: every target that is a GPU")
    parser.add_argument(
        "--tflops", type=float, metavar="X", help="what fp32 products reach on --from, where that is a CPU's target"
    )
    parser.add_argument("--errors", action="store_true", help="instead: held-out errors and coverage by device pair")
    parser.add_argument("--out", type=Path, metavar="FILE", help="with --errors: a table instead of the screen")
    parser.add_argument("--results", type=Path, help="with --errors: results/<suite>, whose figures are used")
    parser.add_argument("--configs", type=Path, default=Path("configs"))


def _with_cpu(
    args: argparse.Namespace, configs: ConfigFolder, sheets: dict[str, Device], meant: dict[str, str]
) -> None:
    """Let --from be a target that is a CPU, at the rate that was given."""
    cpu = args.source in configs.names("targets") and configs.target(args.source).device == "cpu"
    if args.tflops is None:
        if cpu:
            raise ConfigError(
                f"--from {args.source}: of a CPU --tflops says what fp32 products of matrices reach on it; "
                "a suite's cells take what their measuring job found"
            )
        return
    if not cpu:
        raise ConfigError(f"--tflops: --from {args.source} is no target that is a CPU; its data sheet says its rate")
    if not 0 < args.tflops < float("inf"):
        raise ConfigError(f"--tflops {args.tflops}: it must be a positive number")
    # Its bandwidth is not asked for: nothing from a CPU is projected by it.
    sheets[args.source], meant[args.source] = Device(args.source, args.tflops, float("nan"), "cpu"), args.source


def _meant(name: str, option: str, meant: dict[str, str], configs: ConfigFolder) -> str:
    if name in meant:
        return meant[name]
    if name in configs.names("targets"):
        raise ConfigError(
            f"{option} {name}: not-run: it declares no peak_tflops.fp32 and bandwidth_gb_s; {choices(name, meant)}"
        )
    raise ConfigError(f"{option} {name}: {choices(name, meant)}")


def _errors(args: argparse.Namespace) -> None:
    if args.results:
        texts = read_json(args.results / STAGE_SLICE.format(stage="projection"))["published"]
    else:
        texts = published_texts(args.configs)
    devices, timings = parse_published(texts, args.configs)
    if not timings:
        raise ConfigError(f"{args.configs / TIMINGS}: no published time to judge by")
    rows = [*by_pair([*held_out(timings, devices)])]
    if args.out:
        write_table("projection", rows, args.out)
        return
    table = pd.DataFrame(rows)
    shown: Iterable[pd.DataFrame] = (table[table["source"] != "all"], table[table["source"] == "all"])
    print("\n\n".join(part.round(3).to_string(index=False) for part in shown))
    say(f"held: share of times in intervals of {LEVEL:.0%}; {_CAVEAT}")


def run(args: argparse.Namespace) -> None:
    """Project, or judge."""
    if args.errors:
        others = {"--seconds": args.seconds, "--from": args.source, "--to": args.to, "--tflops": args.tflops}
        refuse_beside("vitalbench project: --errors", others)
        _errors(args)
        return
    for name, value in {"--out": args.out, "--results": args.results}.items():
        if value is not None:
            raise ConfigError(f"vitalbench project: {name} goes with --errors")
    configs = ConfigFolder(args.configs)
    known, timings = parse_published(published_texts(args.configs), args.configs)
    if args.seconds is None or args.source is None:
        raise ConfigError("vitalbench project: needs --seconds and --from, or --errors")
    if not 0 < args.seconds < float("inf"):
        raise ConfigError(f"--seconds {args.seconds}: it must be a positive number")
    sheets, meant = sheets_of({name: configs.target(name) for name in configs.names("targets")}, known)
    _with_cpu(args, configs, sheets, meant)
    fitted = Projector(timings, sheets)
    source = _meant(args.source, "--from", meant, configs)
    rows = []
    for name in args.to or [name for name in configs.names("targets") if name in meant]:
        target = _meant(name, "--to", meant, configs)
        row = {"target": name, "times of it": "published" if fitted.knows(target) else "none"}
        if target == source:
            rows.append(row | {"basis": "measured", "step_s": args.seconds})
            continue
        if not fitted.connects(source, target):
            raise ConfigError(
                f"--to {name}: not-run: no published time says how far that would be off from {args.source}"
            )
        told = fitted.project(source, target)
        seconds = {"step_s": told.ratio, "low": told.low, "high": told.high}
        rows.append(row | {"basis": "projected"} | {key: args.seconds * ratio for key, ratio in seconds.items()})
    shown = pd.DataFrame(rows, columns=["target", "basis", "step_s", "low", "high", "times of it"])
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep=""))
    say(f"intervals of {LEVEL:.0%}; {_CAVEAT}")
