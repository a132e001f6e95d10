"""The workflow that users copy: it parses, and names commands, targets and files that are there."""

import re

import yaml

from tests.conftest import ROOT
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
