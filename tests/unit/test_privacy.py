"""Nothing about a person reaches the store that its YAML does not list, ids included; a scan tells shapes, never values."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import build
from tests.unit.test_store import copy_release
from vitalbench import cli
from vitalbench.data.index import carried, part_index, read_part
from vitalbench.errors import GateError, InputError
from vitalbench.privacy.identifying import by_name, by_value, masked
from vitalbench.privacy.key import Key, find_key, need_key
from vitalbench.privacy.pseudonym import pseudonyms
from vitalbench.privacy.scan import scan

SECRET = bytes(range(32))


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    for name in ("VITALBENCH_KEY", "VITALBENCH_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def index():
    return pd.DataFrame(
        {
            "record_id": ["1", "2"],
            "patient_id": ["p", "q"],
            "file": ["p/1", "q/2"],
            "labels:rhythm": [["SR"], []],
            "group:sex": ["male", "female"],
            "truth:st": [0.1, 0.2],
            "age": [40, 50],
            "nurse": ["A. Name", "B. Name"],
        }
    )


def test_only_what_the_yaml_lists_is_carried_and_the_rest_is_told(index, capsys):
    kept = carried(index, "x", ["age"])
    assert set(index.columns) - set(kept.columns) == {"nurse"}
    assert "not carried into the store: nurse" in capsys.readouterr().err
    assert "nurse" in carried(index, "x", ["nurse"])


def test_a_listed_column_that_is_not_there_is_refused_with_the_nearest(index):
    with pytest.raises(InputError, match=r"carry: the release has no column 'aeg'.*nearest: age"):
        carried(index, "x", ["aeg"])


@pytest.mark.parametrize(
    ("column", "values", "what"),
    [
        ("group:admission_date", ["a", "b"], "a date"),
        ("group:ward", ["B", "12.03.1956"], r"a date, as in 99\.99\.9999"),
        ("group:contact", ["x", "anna@example.org"], "an e-mail address"),
        ("labels:reader", [["SR"], ["MEIER^ANNA"]], r"a name, as in XXXXX\^XXXX"),
    ],
)
def test_a_subgroup_or_label_that_looks_identifying_is_refused_unless_listed(index, column, values, what):
    index[column] = values
    with pytest.raises(InputError, match=rf"column '{column}' looks like {what}.*carry"):
        carried(index, "x", [])
    assert column in carried(index, "x", [column])


def test_ids_are_carried_only_where_listed_and_are_else_pseudonyms(index, small_dataset, monkeypatch):
    hidden = small_dataset.model_copy(update={"carry": ["record_id"], "parts": 2})
    with pytest.raises(InputError, match="hiding patient_id, which its 'carry' does not list, needs a key"):
        part_index(index, "x", hidden, "local")
    monkeypatch.setenv("VITALBENCH_KEY", SECRET.hex())
    made = part_index(index, "x", hidden, "local")
    assert made["record_id"].tolist() == ["x/1", "x/2"]
    assert not {"x/p", "x/q"} & set(made["patient_id"])
    assert made["patient_id"].tolist() == part_index(index, "x", hidden, "local")["patient_id"].tolist()
    assert part_index(index, "x", hidden, "generated")["patient_id"].tolist() == ["x/p", "x/q"]


@given(st.lists(st.text(), min_size=1, unique=True))
def test_pseudonyms_are_one_to_one_and_hang_on_the_key_kind_and_data_set(ids):
    first = pseudonyms(ids, "patient", "x", Key(SECRET))
    assert len(set(first.values())) == len(ids)
    assert first == pseudonyms(ids, "patient", "x", Key(SECRET))
    for other in (
        pseudonyms(ids, "patient", "x", Key(SECRET[::-1])),
        pseudonyms(ids, "record", "x", Key(SECRET)),
        pseudonyms(ids, "patient", "y", Key(SECRET)),
    ):
        assert not set(first.values()) & set(other.values())


def test_a_store_of_pseudonyms_holds_no_id_and_no_name_of_a_file(small_store, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("VITALBENCH_KEY", SECRET.hex())
    root = copy_release(small_store, tmp_path)
    table = pd.read_csv(root / "ptbxl_database.csv", dtype=str)
    (root / table["filename_lr"][0]).with_suffix(".dat").unlink()
    carry = [name for name in small_dataset.carry if name not in ("record_id", "patient_id")]
    store = build("ptbxl", small_dataset.model_copy(update={"carry": carry}), "local", root, tmp_path / "data")
    records = pd.read_parquet(store.with_name("records.parquet"))
    assert "file" not in records
    assert records["record_id"].str.fullmatch(r"ptbxl/[0-9a-f]{20}").all()
    assert len(records) == len(table) - 1
    assert records["patient_id"].nunique() == table["patient_id"][1:].nunique()
    findings = (tmp_path / "data/quality.csv").read_text()
    assert "missing-file" in findings
    assert "_lr" not in findings
    patients = {patient.removesuffix(".0") for patient in table["patient_id"]}
    for name in ("records.parquet", "quality.csv"):
        columns = (
            pd.read_parquet(store.with_name(name)) if name.endswith("parquet") else pd.read_csv(store.with_name(name))
        )
        assert not patients & set(columns["patient_id"].str.removeprefix("ptbxl/"))
    rows = read_part(tmp_path / "data/index.parquet", 0)
    assert rows["file"].str.startswith("records100/").all()  # the way back, which is why it stays beside the release


@pytest.mark.parametrize(
    "given_as",
    [SECRET, SECRET.hex().encode(), b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", SECRET.hex().upper().encode()],
)
def test_a_key_may_be_raw_hex_or_base64(tmp_path, given_as):
    file = tmp_path / "key"
    file.write_bytes(given_as)
    file.chmod(0o600)
    assert need_key("this", file).derived("use") == Key(SECRET).derived("use")
    assert find_key(environment={"VITALBENCH_KEY_FILE": str(file)}) == Key(SECRET)


def test_a_key_that_others_may_read_or_that_is_none_is_one_line_that_shows_nothing(tmp_path):
    file = tmp_path / "key"
    file.write_text(SECRET.hex())
    file.chmod(0o644)
    with pytest.raises(InputError, match=r"mode 644\); chmod 600 it"):
        find_key(file)
    file.chmod(0o600)
    file.write_text("hunter2")
    with pytest.raises(InputError, match="no key; a key is 32 bytes") as caught:
        find_key(file)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError, match="no key") as caught:
        find_key(environment={"VITALBENCH_KEY": "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        find_key(tmp_path / "none")
    with pytest.raises(InputError, match="this needs a key: set VITALBENCH_KEY_FILE"):
        need_key("this")


def test_a_key_shows_nothing_of_itself():
    key = Key(SECRET)
    for shown in (repr(key), str(key), f"{key}", key.fingerprint):
        assert SECRET.hex() not in shown
        assert repr(SECRET) not in shown
    assert key.fingerprint != Key(SECRET[::-1]).fingerprint
    assert key.derived("a") != key.derived("b") != SECRET


@pytest.mark.parametrize(
    ("field", "what"),
    [("DateOfBirth", "a date"), ("patient name", "a name"), ("reported_by", "a name"), ("MRN", "an id"),
     ("Tel.", "a telephone number"),     ("zip_code", "an address"), ("report", "free text"), ("heart_axis", None),
     ("filename_hr", None), ("validated_by_human", None),
     ("strat_fold", None), ("update", None)],
)  # fmt: skip
def test_names_of_fields(field, what):
    assert by_name(field) == what


@pytest.mark.parametrize(
    ("value", "what"),
    [("1989-04-20", "a date"), ("20/04/1989", "a date"), ("20-APR-1989", "a date"), ("born 3 May 1970", "a date"),
     ("+44 20 7946 0958", "a telephone number"), ("(415) 555-2671", "a telephone number"),
     ("a.b@c.org", "an e-mail address"), ("MEIER^ANNA", "a name"),
     ("Dr. Meier", "a name"), ("12 High Street", "an address"), ("078-05-1120", "an id"), ("1.0.3", None), ("sinus rhythm", None),
     ("{'NORM': 100.0, 'SR': 0.0}", None), ("100", None), ("-0.065", None), ("CS-12 E", None), ("records100/00000/00001_lr", None)],
)  # fmt: skip
def test_values(value, what):
    found = by_value([value])
    assert (found and found[0]) == what


@given(st.text(max_size=60))
def test_a_mask_keeps_no_letter_and_no_digit(value):
    assert set(masked(value)) <= {"X", "x", "9"} | {chr(code) for code in range(32, 127) if not chr(code).isalnum()}
    assert len(masked(value)) <= 40


@pytest.fixture
def identifying_release(tmp_path):
    """Two headers and a table that say who was recorded."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.hea").write_text(
            f"{name} 1 100 1000 13:05:00 24/12/1988\n{name}.dat 16 1000/mV 16 0 0 0 0 II\n"
            "# Name: Erika Mustermann\n# <age>: 93\n# tel +49 30 901820\n# sinus rhythm\n"
        )
    people = pd.DataFrame(
        {
            "id": ["1", "2"],
            "DOB": ["1956-03-12", "1960-01-01"],
            "age": ["91", "40"],
            "ward": ["ok", "see anna@example.org"],
            "sex": "1",
        }
    )
    people.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path


def test_a_scan_finds_what_identifies_in_headers_and_tables(identifying_release):
    findings, read = scan(identifying_release)
    assert read == 3
    assert {(f.file, f.field, f.why, f.files) for f in findings} == {
        ("a.hea", "base time", "time of day", 2),
        ("a.hea", "base date", "looks like a date", 2),
        ("a.hea", "comment 'Name'", "named like a name", 2),
        ("a.hea", "comment 'age'", "age of 90 or over", 2),
        ("a.hea", "comment", "looks like a telephone number", 2),
        ("people.csv", "column 'DOB'", "named like a date", 1),
        ("people.csv", "column 'age'", "age of 90 or over", 1),
        ("people.csv", "column 'ward'", "looks like an e-mail address", 1),
    }


def test_a_scan_shows_shapes_and_never_values(identifying_release, capsys):
    assert cli.run(["scan", str(identifying_release)]) == 0
    shown = capsys.readouterr()
    for value in ("Erika", "Mustermann", "1988", "1956", "901820", "anna", "93"):
        assert value not in shown.out + shown.err
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert {row["field"]: row["example"] for row in rows}["comment 'Name'"] == "Xxxxx Xxxxxxxxxx"
    assert "8 findings in 3 headers and tables" in shown.err


def test_a_scan_may_be_a_gate(identifying_release, tmp_path_factory):
    with pytest.raises(GateError, match="8 fields look identifying"):
        cli.run(["scan", str(identifying_release), "--fail"])
    assert cli.run(["scan", str(tmp_path_factory.mktemp("empty")), "--fail"]) == 0


def test_of_a_stand_in_it_finds_the_releases_dates_and_readers(small_store, project, capsys):
    assert (
        cli.run(
            ["scan", str(small_store.parent / "release"), "--dataset", "ptbxl", "--configs", str(project / "configs")]
        )
        == 0
    )
    rows = {row["field"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows["column 'recording_date'"]["why"] == "named like a date"
    assert rows["column 'report'"]["why"] == "named like free text"
    assert {row["carried"] for row in rows.values()} == {"no"}


def test_a_table_that_cannot_be_read_is_named_without_its_content(tmp_path):
    (tmp_path / "a.csv").write_text('name\n"Erika\n')
    with pytest.raises(InputError, match=r"a\.csv: not readable as CSV") as caught:
        scan(tmp_path)
    assert "Erika" not in str(caught.value)
