"""What goes to an object store and to a cloud: which objects, and what is refused before anything is planned."""

import pytest

from vitalbench.config.knobs import Knobs
from vitalbench.config.planning import make_plan
from vitalbench.config.remote import cloud_objects
from vitalbench.config.workflow import refuse_without_address, refuse_without_store

ADDRESS = {"publish_to": "s3://bench/project/", "scheduled": True}


def test_a_cloud_is_asked_for_no_machine_of_a_target_that_is_only_projected(configs):
    plan = make_plan(configs, configs.knobs({"suite": "quick"} | ADDRESS))
    assert plan.suite.projected
    assert set(plan.suite.projected) < set(plan.targets)
    assert cloud_objects(plan) == ["s3://bench/project/runs/quick/cpu.tar"]
    named = make_plan(configs, configs.knobs({"suite": "quick", "targets": ["cpu", "h100"]} | ADDRESS))
    assert [url.rsplit("/", 1)[1] for url in cloud_objects(named)] == ["cpu.tar", "h100.tar"]


def test_a_target_of_a_store_that_no_knob_names_says_which_knob(capsys):
    with pytest.raises(SystemExit, match="2"):
        refuse_without_address("cloud", "publish_to")
    told = capsys.readouterr().err
    assert told == (
        "error: cloud: no object store is named; next: snakemake cloud --config publish_to=s3://BUCKET/PREFIX\n"
    )


@pytest.mark.parametrize(
    ("there", "absent"),
    [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("SNAKEMAKE_STORAGE_S3_SECRET_KEY", "SNAKEMAKE_STORAGE_S3_ACCESS_KEY"),
    ],
)
def test_half_a_key_is_told_and_not_shown(capsys, there, absent):
    knobs = Knobs(pull_from="s3://bench/project")
    with pytest.raises(SystemExit, match="2"):
        refuse_without_store(knobs, "json", {there: "hidden"})
    told = capsys.readouterr().err
    assert f"{there} is set and {absent} is not" in told
    assert "hidden" not in told
    refuse_without_store(knobs, "json", {there: "hidden", absent: "hidden"})
    refuse_without_store(knobs, "json", {})
