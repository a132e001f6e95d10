"""A store's Croissant description is valid, complete and true: the reference reader takes it and reads the table through it."""

import json
import shutil

import pandas as pd
import pytest

from vitalbench import cli, layout
from vitalbench.files import file_digest, read_json, write_json


@pytest.fixture(scope="module")
def croissant():
    """The reference reader; its import takes seconds, so it is had once and here alone."""
    import mlcroissant

    return mlcroissant


def test_the_reference_reader_finds_no_error_and_no_warning(described, croissant):
    found = croissant.Dataset(jsonld=described / layout.CROISSANT)
    issues = found.metadata.ctx.issues
    assert (list(issues.errors), list(issues.warnings)) == ([], [])


def test_the_reference_reader_would_tell(described, croissant):
    poorer = {key: value for key, value in read_json(described / layout.CROISSANT).items() if key != "license"}
    assert "license" in " ".join(croissant.Dataset(jsonld=poorer).metadata.ctx.issues.warnings)


def test_records_read_through_it_are_the_table(described, croissant):
    found = croissant.Dataset(jsonld=described / layout.CROISSANT)
    read = pd.DataFrame(list(found.records("records")))
    table = pd.read_parquet(described / "records.parquet")
    assert len(read) == len(table)
    assert len(read.columns) == len(table.columns)
    for column in table.columns:
        ours, theirs = table[column], read[f"records/{column.replace(':', '.')}"]
        if column.startswith("labels:"):
            assert [[name.decode() for name in row] for row in theirs] == [list(row) for row in ours], column
        elif ours.dtype == object or pd.api.types.is_string_dtype(ours):
            assert [None if value is None or value != value else value.decode() for value in theirs] == [
                None if pd.isna(value) else value for value in ours
            ], column
        else:
            assert theirs.astype(float).equals(ours.astype(float)), column


def test_every_file_is_there_with_its_hash(described):
    files = read_json(described / layout.CROISSANT)["distribution"]
    assert {"store.h5", "records.parquet", "quality.csv", "manifest.json", "parts/part-0000.h5"} <= {
        file["contentUrl"] for file in files
    }
    for file in files:
        assert file_digest(described / file["contentUrl"]) == file["sha256"], file["@id"]


def test_a_damaged_table_is_refused_by_the_reader(described, croissant, tmp_path):
    shutil.copytree(described, tmp_path / "copy")
    table = tmp_path / "copy" / "records.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"X")
    with pytest.raises(croissant.GenerationError):
        list(croissant.Dataset(jsonld=tmp_path / "copy" / layout.CROISSANT).records("records"))


def test_it_says_generated_or_recorded_and_what_one_may_do(described):
    found = read_json(described / layout.CROISSANT)
    assert "generated" in found["description"]
    assert found["rai:dataCollectionType"] == ["Synthetic"]
    assert (found["license"], found["version"], found["datePublished"]) == ("CC BY 4.0", "1.0.3", "2022-11-09")
    about = read_json(described / layout.DESCRIBE_SLICE) | {"source": "local"}
    write_json(described / layout.DESCRIBE_SLICE, about)
    assert cli.run(["describe", "--data", str(described)]) == 0
    recorded = read_json(described / layout.CROISSANT)
    assert "recorded from patients" in recorded["description"]
    assert "Synthetic" not in json.dumps(recorded)
