"""The workflow that users copy: it parses, and names commands, targets and files that are there."""

import re
import subprocess

import pytest
import yaml

from tests.conftest import ROOT
from tests.gate_outcomes import TIMED
from vitalbench.cli import command_names

WORKFLOW = ROOT / "docs/ci/github-actions.yml"


def test_it_runs_what_is_there():
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    said = "\n".join(step["run"] for step in steps if "run" in step)
    assert set(re.findall(r"vitalbench (\w+)", said)) <= set(command_names())
    for target in re.findall(r"make (\w+)", said):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
    assert "rule check:" in (ROOT / "rules/check.smk").read_text()
    assert (ROOT / re.search(r"pytest -m slow (\S+)", said)[1]).is_dir()


def test_it_hands_nobodys_secrets_on():
    text = WORKFLOW.read_text()
    assert "secrets." not in text
    assert "pull_request_target" not in text


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_workflow_to_copy_times_five_sessions_and_ends_as_the_gate_does(tmp_path, code):
    steps = {step.get("name"): step for step in yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]}
    step = steps["Hot paths against their baseline"]
    assert step["if"] == "${{ !cancelled() }}"  # else a suite that fails would hide what the benchmarks say
    activate = tmp_path / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(
        f"""pytest() {{ echo "$*" >> ran; touch "$(echo "$*" | sed 's/.*--benchmark-json=//')"; }}
vitalbench() {{ echo "$*" > held; return {code}; }}
"""
    )
    done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, check=False)
    assert done.returncode == code
    written = [line.split("--benchmark-json=")[1] for line in (tmp_path / "ran").read_text().splitlines()]
    assert written == re.findall(r"--benchmarks (\S+)", (tmp_path / "held").read_text())
    assert len(set(written)) == TIMED
