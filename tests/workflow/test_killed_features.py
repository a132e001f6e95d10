"""Runs on a frozen encoder, killed while its features are computed and after: `pytest -m slow -rP` on this file shows the log."""

import random
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import snakemake
from tests.workflow.test_killed import CELL, SUITE, checkpoints_of, left_by, mortal_project, started, until
from vitalbench.files import read_json
from vitalbench.train.keeper import FEATURES

pytestmark = pytest.mark.slow

KILLS_IN_CACHING = 6
FROZEN = CELL.replace("mortal", "frozen")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = mortal_project(tmp_path_factory.mktemp("frozen"), 3)
    design = yaml.safe_load((folder / "configs/designs/s4-12x128-random.yaml").read_text())
    design["model"]["options"] |= {"depth": 4, "width": 64}
    design["train"] |= {"epochs": 20, "batch_size": 1}
    design |= {"small": {}, "published": None}
    (folder / "configs/designs/frozen.yaml").write_text(yaml.safe_dump(design))
    grid = SUITE["grids"][0] | {"designs": ["frozen"]}
    (folder / "configs/suites/frozen.yaml").write_text(yaml.safe_dump({**SUITE, "grids": [grid]}))
    found = snakemake(folder, "--cores", "2", "split", "--config", "suite=frozen")
    assert found.returncode == 0, found.stdout[-3000:]
    return folder


def features(run: Path) -> list[Path]:
    return sorted((checkpoints_of(run) / FEATURES).glob("part-*"))


def inodes(parts: list[Path]) -> dict[str, int]:
    return {part.name: (part / "features.npy").stat().st_ino for part in parts}


def test_killed_while_features_are_computed_a_run_takes_the_whole_parts_over_and_ends_with_the_same_bytes(project):
    run, rng = project / "results/frozen/runs" / FROZEN, random.Random(6)
    assert started(project, "frozen", FROZEN).wait() == 0
    expected, needed = left_by(run), read_json(run / "timing.json")
    batches = next(len(phase["seconds"]) for phase in needed["phases"] if phase["name"] == "features")
    run.rename(project / "never killed")
    kept: dict[str, int] = {}
    for number in range(KILLS_IN_CACHING):
        process, more = started(project, "frozen", FROZEN), len(kept) + rng.randint(1, 2)
        until(process, lambda more=more: len(features(run)) >= more)
        process.kill()
        process.wait()
        found = inodes(features(run))
        assert kept.items() <= found.items()  # none was computed twice
        half = [path.name for path in (checkpoints_of(run) / FEATURES).glob(".*")]
        print(f"kill {number + 1}  in feature caching, {len(found)} parts there, half written: {half}")
        kept = found
        assert not list(checkpoints_of(run).glob("epoch-*"))
    process = started(project, "frozen", FROZEN)
    until(process, lambda: list(checkpoints_of(run).glob("epoch-*")))
    process.kill()
    process.wait()
    print("kill 7  in training")
    assert not (run / "status.json").exists()
    last = started(project, "frozen", FROZEN)
    assert last.wait() == 0
    assert left_by(run) == expected
    phases = {phase["name"]: phase for phase in read_json(run / "timing.json")["phases"]}
    assert len(phases["features"]["seconds"]) == batches  # those of the killed processes are among them
    assert f"features: {len(kept)} of " in (run / "log.txt").read_text()
