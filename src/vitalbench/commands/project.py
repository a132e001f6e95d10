"""Project a step time from one GPU to others, with an interval; or say how far such projections are off.

Fitted to published times of fp32 steps (configs/projection); docs/METHODS.md says how, and what was not among them.
"""

import argparse
from pathlib import Path

import pandas as pd

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.published import Device, read_devices, read_timings, sheets_of
from vitalbench.cost.held_out import held_out
from vitalbench.cost.projector import LEVEL, projector
from vitalbench.errors import ConfigError, choices
from vitalbench.progress import say

_CAVEAT = "fitted to language models in fp32 without TF32; no convolutional network was among them"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--seconds", type=float, metavar="S", help="of a step, measured in fp32 on --from")
    parser.add_argument("--from", dest="source", metavar="NAME", help="a target, or a device of configs/projection")
    parser.add_argument("--to", nargs="+", metavar="NAME", help="the same; default: every target that is a GPU")
    parser.add_argument("--errors", action="store_true", help="instead: held-out errors and coverage by device pair")
    parser.add_argument("--configs", type=Path, default=Path("configs"))


def _meant(name: str, option: str, meant: dict[str, str], configs: ConfigFolder) -> str:
    if name in meant:
        return meant[name]
    if name in configs.names("targets"):
        raise ConfigError(f"{option} {name}: not-run: no published time connects it with a GPU; {choices(name, meant)}")
    raise ConfigError(f"{option} {name}: {choices(name, meant)}")


def _errors(folder: Path, devices: dict[str, Device]) -> None:
    asked = pd.DataFrame([*held_out(read_timings(folder / "timings.csv", devices), devices)])
    shown = {"error": "mean", "blend": "mean", "peak": "mean", "bandwidth": "mean", "held": "mean"}
    by = asked.groupby(["left_out", "source", "target"]).agg(
        pairs=("error", "size"), **{k: (k, v) for k, v in shown.items()}
    )
    print(by.round(3).to_string())
    whole = asked.groupby("left_out").agg(pairs=("error", "size"), **{k: (k, v) for k, v in shown.items()})
    print(
        f"\nAll: mean error projected, of both rates blended, of peaks, of bandwidths; share in intervals of {LEVEL:.0%}:"
    )
    print(whole.round(3).to_string())
    say(_CAVEAT)


def run(args: argparse.Namespace) -> None:
    """Project, or judge."""
    configs, folder = ConfigFolder(args.configs), args.configs / "projection"
    known = read_devices(folder / "devices.csv")
    if args.errors:
        _errors(folder, known)
        return
    if args.seconds is None or args.source is None:
        raise ConfigError("vitalbench project: needs --seconds and --from, or --errors")
    if not 0 < args.seconds < float("inf"):
        raise ConfigError(f"--seconds {args.seconds}: it must be a positive number")
    sheets, meant = sheets_of({name: configs.target(name) for name in configs.names("targets")}, known)
    fitted = projector(read_timings(folder / "timings.csv", known), sheets)
    source = _meant(args.source, "--from", meant, configs)
    rows = []
    for name in args.to or [name for name in configs.names("targets") if name in meant]:
        target = _meant(name, "--to", meant, configs)
        row = {"target": name, "times of it": "published" if target in known else "none"}
        if target == source:
            rows.append(row | {"basis": "measured", "step_s": args.seconds})
            continue
        told = fitted.project(source, target)
        seconds = {"step_s": told.ratio, "low": told.low, "high": told.high}
        rows.append(row | {"basis": "projected"} | {key: args.seconds * ratio for key, ratio in seconds.items()})
    shown = pd.DataFrame(rows, columns=["target", "basis", "step_s", "low", "high", "times of it"])
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep=""))
    say(f"intervals of {LEVEL:.0%}; {_CAVEAT}")
