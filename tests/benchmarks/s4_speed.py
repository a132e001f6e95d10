"""What the frozen encoder's speed-ups are worth, each by itself; `vitalbench efficiency` has report 002's table.

    python -m tests.benchmarks.s4_speed [steps] [run] [cost]      all of them by default; OMP_NUM_THREADS is set to 2

`steps`: a training step that runs the encoder, plain and fast in turn; `run`: ten epochs on 512 generated records or more, by the
training command itself, plain and fast in turn (half an hour); `cost`: how far bf16 is from fp32. The machine's load is told.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

from tests.conftest import ROOT, build
from tests.workflow.small_suite import make_suite, run_of, train
from vitalbench.config.design import Design
from vitalbench.config.fast import Fast
from vitalbench.config.folder import ConfigFolder
from vitalbench.files import read_json
from vitalbench.measure.clock import Stopwatch
from vitalbench.models import build as build_model
from vitalbench.train.engine import prepare_torch
from vitalbench.train.frozen import FrozenBackbone
from vitalbench.train.step import make_step
from vitalbench.train.stepped import stepped

CONFIGS = ConfigFolder(ROOT / "configs")
FAST, PLAIN = "s4-12x128-random", "s4-12x128-plain"
PATIENTS = 700  # of the stand-in, so that 512 records or more are to train on


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, {torch.get_num_threads()} threads"


def spread(values: list[float], unit: str = "") -> str:
    """Median, least and most."""
    return f"{median(values):.3g}{unit} ({min(values):.3g} to {max(values):.3g}, {len(values)} times)"


def step_of(design: Design) -> Callable[[], Any]:
    """One training step of a design on a generated batch of its own size, as training takes it."""
    task, target = CONFIGS.task("superdiagnostic"), CONFIGS.target("cpu")
    accelerator = prepare_torch(target, 0)
    assert design.model
    assert design.train
    torch.manual_seed(0)
    model = build_model(design.model.name, design.model.options, leads=8, samples=1000, classes=5)
    made = stepped(design, model, (8, 1000), 100, task.kind, accelerator.device)
    step = make_step(accelerator, made.trained, design.train, made.asked, target)
    step.model.train()
    x, y = torch.randn(design.train.batch_size, 8, 1000), torch.zeros(design.train.batch_size, 5)
    return lambda: step(x, y)


def in_turn(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, in turn, so that what else the machine does meets all alike; a first round is not counted."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(repeats + 1):
        for name, call in calls.items():
            watch = Stopwatch()
            call()
            if number:
                found[name].append(watch.lap())
    return found


def ratios(found: dict[str, list[float]], over: str, under: str) -> str:
    return spread([a / b for a, b in zip(found[over], found[under], strict=True)])


def design(name: str, **fast: Any) -> Design:
    """A design at full size, its encoder run in every step."""
    made = CONFIGS.design(name, "full")
    return made.model_copy(update={"fast": Fast(**{"features": False, **fast})})


def steps() -> None:
    fast = {
        "plain": CONFIGS.design(PLAIN, "full"),
        "kernels kept": design(FAST, in_cache=False, precision="fp32"),
        "in cache too": design(FAST, precision="fp32"),
        "all": design(FAST),
    }
    found = in_turn({name: step_of(made) for name, made in fast.items()}, 7)
    print(f"\n# A training step of {FAST}, batch of 32, the encoder in every step; {load()}")
    for name, seconds in found.items():
        told = "" if name == "plain" else f"   plain over it: {ratios(found, 'plain', name)}"
        print(f"{name:14} {spread(seconds, ' s')}{told}")


def seconds_of(run: Path) -> dict[str, float]:
    phases = read_json(run / "timing.json")["phases"]
    return {phase["name"]: sum(phase["seconds"]) for phase in phases}


def run(pairs: int = 1) -> None:
    kinds = {name: yaml.safe_load((ROOT / f"configs/designs/{name}.yaml").read_text()) for name in (FAST, PLAIN)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = CONFIGS.dataset("ptbxl")
        assert dataset.standin
        dataset = dataset.model_copy(
            update={"standin": dataset.standin.model_copy(update={"patients": PATIENTS}), "parts": 1}
        )
        store = build("ptbxl", dataset, "generated", None, folder / "store")
        target = {"cpu": yaml.safe_load((ROOT / "configs/targets/cpu.yaml").read_text())}
        for kind in kinds.values():
            kind.pop("published", None)
        results = make_suite(folder / "project", store, dataset, kinds, target)
        print(f"\n# Ten epochs of {FAST}, by `vitalbench train`; {load()}")
        for _ in range(pairs):
            work, walls = {}, {}
            for made in kinds:
                watch = Stopwatch()
                left = train(results, made, "cpu", OMP_NUM_THREADS="2")
                walls[made] = watch.lap()
                if left.returncode:
                    sys.exit(left.stderr)
                spent = seconds_of(run_of(results, made, "cpu"))
                work[made] = spent.get("features", 0.0) + spent["epoch"]
                shown = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in spent.items())
                print(
                    f"{made}: {work[made]:.1f} s of features and epochs, {walls[made]:.1f} s in all ({shown}); {load()}",
                    flush=True,
                )
            facts = read_json(run_of(results, FAST, "cpu") / "provenance.json")["facts"]
            print(f"records of every split that is used: {facts['featured_records']}; steps {facts['steps']}")
            print(f"plain over fast: {work[PLAIN] / work[FAST]:.1f}")
            print(f"  whole processes, imports and all: {walls[PLAIN] / walls[FAST]:.1f}")


def cost() -> None:
    torch.manual_seed(0)
    made = CONFIGS.design(FAST, "full").model
    assert made
    model = build_model(made.name, made.options, leads=8, samples=1000, classes=5)
    x = torch.randn(32, 8, 1000)
    with torch.no_grad():
        plain = model.encoder(x)  # type: ignore[operator]
        print(f"\n# How far from the plain encoder the frozen form of {FAST} is, of 32 records")
        for precision in ("fp32", "bf16"):
            error = FrozenBackbone(model, "s4", Fast(precision=precision)).encode(x) - plain
            largest, norm = float(error.abs().max() / plain.abs().max()), float(error.norm() / plain.norm())
            print(f"{precision}  largest {largest:.2e} of the largest feature, norm {norm:.2e}")


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "2"
    torch.set_num_threads(2)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = {"steps": steps, "cost": cost, "run": run}
    parser.add_argument("what", nargs="*", choices=[*known, []])
    given = parser.parse_args()
    for name in given.what or known:
        known[name]()


if __name__ == "__main__":
    main()
