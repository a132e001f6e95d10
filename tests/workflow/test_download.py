"""A release that is downloaded by the workflow: from the publisher's list to the page, or to a clear stop before any training."""

import re
from time import sleep

import pandas as pd
import pytest

from tests.benchmarks.download_overlap import (
    BASE,
    DATA,
    LOOK,
    prepare,
    run,
    seconds_of_data,
    serve_folder,
    stored_before_the_last_download,
    watched,
)
from tests.release_server import Fault, ReleaseServer
from tests.unit.test_store import copy_release
from tests.workflow.conftest import jobs
from vitalbench.files import read_json
from vitalbench.measure.clock import Stopwatch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(small_store, tmp_path_factory):
    """A folder as the publisher's server has it: a small release in PTB-XL's layout, and its list."""
    root = tmp_path_factory.mktemp("served")
    release = copy_release(small_store, tmp_path_factory.mktemp("publisher"))
    serve_folder(release, root)
    return root


@pytest.fixture(scope="module")
def downloaded(served, tmp_path_factory):
    """A whole run, and the server that it asked."""
    folder = prepare(tmp_path_factory.mktemp("project"))
    with ReleaseServer(served) as server:
        server.faults[f"{BASE}/records100/00000/00003_lr.dat"] = [
            Fault(status=503),
            Fault(cut=9_000),
            Fault(flip=20_000),
        ]
        found = run(folder, server.url)
        assert found.returncode == 0, found.stdout[-4000:]
        yield folder, server


def test_the_dry_run_asks_no_server(served, tmp_path):
    folder = prepare(tmp_path)
    with ReleaseServer(served) as server:
        found = run(folder, server.url, "-n")
        assert found.returncode == 0
        assert {name: jobs(found.stdout)[name] for name in ("acquire", "fetch", "standardise", "store")} == {
            "acquire": 1,
            "fetch": 4,
            "standardise": 4,
            "store": 1,
        }
        assert server.asked == []


def test_the_flow_runs_from_the_publishers_list_to_the_page(downloaded):
    folder, _ = downloaded
    manifest = read_json(folder / "results/data/ptbxl/download/manifest.json")
    assert manifest["release"]["source"] == "download"
    assert manifest["records"] == len(pd.read_csv(folder / "results/data/ptbxl/download/release/ptbxl_database.csv"))
    matrix = pd.read_csv(folder / "results/records/tables/matrix.csv").set_index("design")
    assert matrix["status"].to_dict() == {"prevalence": "measured", "ideal-observer": "not-allowed"}
    assert set(matrix["data_source"]) == {"download"}
    page = (folder / "results/records/report.html").read_text()
    assert "downloaded release (part of 21,799 records)" in page
    assert "Generated records." not in page
    assert "download=true" in page
    log = (folder / "results/data/ptbxl/download/log/fetch-0000.txt").read_text()
    assert re.search(r"part-0000: \d+ of \d+ files, .* received, .*/s; 0 were here", log)


def test_every_file_was_asked_for_once_or_as_often_as_it_failed(downloaded):
    _, server = downloaded
    asked = pd.Series([name for name, _ in server.asked]).value_counts()
    assert asked.pop(f"{BASE}/records100/00000/00003_lr.dat") == 4
    assert set(asked) == {1}


def test_a_second_run_or_another_mirror_does_nothing(downloaded):
    folder, server = downloaded
    assert "Nothing to be done" in run(folder, server.url).stdout
    assert "Nothing to be done" in run(folder, "http://127.0.0.1:9").stdout


def test_a_wrong_byte_stops_the_flow_before_training(served, tmp_path):
    folder = prepare(tmp_path)
    with ReleaseServer(served) as server:
        server.always[f"{BASE}/records100/00000/00003_lr.dat"] = Fault(flip=100)
        found = run(folder, server.url)
    assert found.returncode != 0
    assert re.search(r"error: \S+/00003_lr\.dat: its SHA-256 is \w{64}, which must be \w{64}", found.stdout)
    assert not (folder / "results/data/ptbxl/download/store.h5").exists()
    assert not list((folder / "results/records").rglob("status.json"))


def test_an_offline_machine_gets_one_line_with_three_ways(tmp_path):
    found = run(prepare(tmp_path), "http://127.0.0.1:9")
    assert found.returncode != 0
    told = {line.strip() for line in found.stdout.splitlines() if "cannot be reached" in line}
    assert len(told) == 1
    for way in ("data_root=FOLDER", "mirror=URL", "suite=quick"):
        assert way in next(iter(told))


def test_stages_are_timed_from_the_list_to_the_last_part(tmp_path):
    data, watch = tmp_path / DATA, Stopwatch()
    (data / "parts").mkdir(parents=True)
    with watched(data) as stages:
        with pytest.raises(AssertionError, match=r"no release\.json came"):
            stages.listed_to_stored()
        (data / "release.json").touch()
        stages.look()
        sleep(5 * LOOK)
        (data / "parts/part-0001.fetched.json").touch()  # is no stored one
        stages.look()
        with pytest.raises(AssertionError, match="no part came"):
            stages.listed_to_stored()
        (data / "parts/part-0001.json").touch()
    whole = watch.lap()
    sleep(5 * LOOK)
    stages.look()  # nothing is new
    assert 5 * LOOK <= stages.listed_to_stored() <= whole


def test_parts_are_standardised_while_others_download(benchmark, served, tmp_path):
    """Against the same workflow with one edge more: every part waits for all downloads. Same jobs, same line, same cores."""
    parts, rate = 6, 3e5
    folders = [
        prepare(tmp_path / "overlapped", parts),
        prepare(tmp_path / "one after the other", parts, sequential=True),
    ]
    sequential = seconds_of_data(folders[1], served, rate)
    overlapped = benchmark.pedantic(seconds_of_data, args=(folders[0], served, rate), rounds=1)
    benchmark.extra_info |= {
        "one after the other, s": round(sequential.whole, 1),
        "one after the other / overlapped": round(sequential.whole / overlapped.whole, 2),
    }
    stores = [folder / "results/data/ptbxl/download/records.parquet" for folder in folders]
    assert stores[0].read_bytes() == stores[1].read_bytes()
    # The ratio is for a quiet machine to judge (tests/benchmarks/download_overlap.py); which job went beside which holds on any.
    assert stored_before_the_last_download(folders[1]) == 0
    assert stored_before_the_last_download(folders[0]) >= 2
