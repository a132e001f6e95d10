"""PTB-XL's tables as they must not be: one bad row quarantines its record and is counted, a broken table is one line."""

import shutil

import pandas as pd
import pytest

from tests.conftest import build
from tests.unit.test_store import copy_release
from vitalbench.data.datasets import ptbxl
from vitalbench.data.release import acquire
from vitalbench.errors import InputError
from vitalbench.files import read_json

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"


@pytest.fixture(scope="module")
def tables(small_store):
    """The two tables of a small release, as texts."""
    root = small_store.parent / "release"
    return [pd.read_csv(root / name, dtype=str, keep_default_na=False) for name in (DATABASE, STATEMENTS)]


@pytest.fixture
def write(tables, tmp_path):
    """Writes both tables, one of them changed, and reads the index."""

    def written(dataset, change=None, name=DATABASE):
        for table, file in zip(tables, (DATABASE, STATEMENTS), strict=True):
            changed = change(table.copy()) if change and file == name else table
            changed.rename(columns={"Unnamed: 0": ""}).to_csv(tmp_path / file, index=False)
        return ptbxl.read_index(tmp_path, dataset)

    return written


def cell(column: str, value: str, row: int = 4):
    def change(table):
        table.loc[row, column] = value
        return table

    return change


BAD = [
    ("age", "1500", "age is not 0 to 120 years, 300 (older than 89) or empty"),
    ("age", "inf", "age is not 0 to 120"),
    ("age", "-1", "age is not 0 to 120"),
    ("age", "abc", "age is not 0 to 120"),
    ("age", "9" * 5000, "age is not 0 to 120"),
    ("sex", "2", "sex is not 0 (male), 1 (female) or empty"),
    ("sex", "F", "sex is not 0"),
    ("height", "-170", "height is not a number above 0"),
    ("weight", "heavy", "weight is not a number above 0"),
    ("site", "1e400", "site is beyond what a number holds"),
    ("strat_fold", "0", "strat_fold is not a fold of 1 to 10"),
    ("strat_fold", "11", "strat_fold is not a fold of 1 to 10"),
    ("strat_fold", "2.5", "strat_fold is not a fold of 1 to 10"),
    ("strat_fold", "", "has no strat_fold"),
    ("filename_lr", "", "has no filename_lr"),
    ("patient_id", "", "has no patient_id"),
    ("patient_id", "   ", "has no patient_id"),
    ("patient_id", "nan", "has no patient_id"),
    ("patient_id", "15709.5", "patient_id is not a whole number"),
    ("patient_id", "²", "patient_id is not a whole number"),
    ("ecg_id", "", "has no ecg_id"),
    ("ecg_id", "one", "ecg_id is not a whole number"),
    ("validated_by_human", "perhaps", "validated_by_human is not True, False or empty"),
    ("second_opinion", "2", "second_opinion is not True, False or empty"),
    ("recording_date", "1984-13-09 09:17:34", "recording_date is not a date"),
    ("recording_date", "yesterday", "recording_date is not a date"),
    ("recording_date", "9999-01-01", "recording_date is not a date"),
    ("scp_codes", "", "scp_codes is not a dictionary"),
    ("scp_codes", "['NORM']", "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': nan}", "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': 1e999}", "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': -1.0}", "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': '100'}", "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': True}", "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': 100.0, 'NORM': 0.0}", "scp_codes is not a dictionary of statements, each once"),
    ("scp_codes", "{'NORM'}", "scp_codes is not a dictionary"),
    ("scp_codes", "{**{}}", "scp_codes is not a dictionary"),
    ("scp_codes", "{" * 5000, "scp_codes is not a dictionary"),
    ("scp_codes", "{'NORM': " + "9" * 5000 + "}", "scp_codes is not a dictionary"),
    ("scp_codes", "{'XYZ': 100.0}", "statement 'XYZ' is not one of the 71"),
    ("scp_codes", "{'Jane Doe, born 1950': 100.0}", "statement is not one of the 71"),
]


@pytest.mark.parametrize(("column", "value", "fault"), BAD)
def test_a_bad_cell_is_the_fault_of_its_row_alone(write, small_dataset, column, value, fault):
    index = write(small_dataset, cell(column, value))
    assert index["fault"][4].startswith(fault)
    assert (index["fault"].drop(4) == "").all()
    assert value.strip() in ("", "0", "2", "-1", "nan", "{'XYZ': 100.0}") or value[:20] not in index["fault"][4]
    assert index["group:age_band"][4] == index["group:sex"][4] == "unknown"
    assert index["labels:all"][4] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("age", "300"), ("age", ""), ("age", "0"), ("sex", ""), ("sex", "1.0"), ("patient_id", "00015709.0")],
        *[("height", ""), ("validated_by_human", "true"), ("recording_date", "1984-11-09"), ("recording_date", "")],
        ("scp_codes", "{}"),
    ],
)
def test_what_a_release_may_say_is_no_fault(write, small_dataset, column, value):
    assert (write(small_dataset, cell(column, value))["fault"] == "").all()


def test_one_bad_row_changes_no_other(write, small_dataset):
    clean = write(small_dataset)
    for column, value, _ in BAD[:: len(BAD) // 8]:
        found = write(small_dataset, cell(column, value))
        pd.testing.assert_frame_equal(found.drop(4), clean.drop(4))


def test_an_id_in_another_writing_is_the_same_id(write, small_dataset):
    index = write(small_dataset, lambda t: t.assign(ecg_id="00" + t["ecg_id"], patient_id=t["patient_id"] + "0"))
    clean = write(small_dataset)
    assert index[["record_id", "patient_id"]].equals(clean[["record_id", "patient_id"]])


def double_row(table):
    return pd.concat([table, table.iloc[[3]]])


BROKEN = [
    (STATEMENTS, lambda t: t.drop(columns="diagnostic_class"), "column 'diagnostic_class' is missing"),
    (STATEMENTS, lambda t: t.drop(columns="rhythm"), "column 'rhythm' is missing"),
    (STATEMENTS, double_row, "row 72: statement '.+' is listed twice"),
    (STATEMENTS, cell("Unnamed: 0", ""), "row 5: the statement has no name"),
    (STATEMENTS, cell("diagnostic", "yes"), r"row 5: column 'diagnostic' is 'yes'; allowed: \(empty\), 0\.0, 1\.0"),
    (STATEMENTS, cell("diagnostic_class", "", 0), "row 1: column 'diagnostic_class' is empty, and 'NDT' is diagnostic"),
    (STATEMENTS, cell("diagnostic_subclass", "", 0), "row 1: column 'diagnostic_subclass' is empty"),
    (STATEMENTS, lambda t: t.iloc[:0], "lists no statement"),
    (DATABASE, lambda t: t.assign(age="abc"), r"row 1: age is not 0 to 120 years.* \(\d+ of \d+ rows cannot be used\)"),
    (DATABASE, lambda t: t.assign(filename_lr=""), "row 1: has no filename_lr"),
    (DATABASE, lambda t: t.assign(strat_fold="eleven"), "row 1: strat_fold is not a fold of 1 to 10"),
    (DATABASE, lambda t: t.assign(**{"age ": t["age"]}), "column 'age' stands there twice"),
]


@pytest.mark.parametrize(("name", "change", "message"), BROKEN)
def test_a_broken_table_is_one_line(write, small_dataset, name, change, message):
    with pytest.raises(InputError, match=message) as caught:
        write(small_dataset, change, name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def recoded(encoding: str, line: str = "\n"):
    return lambda text: text.replace("\n", line).encode(encoding)


@pytest.mark.parametrize("recode", [recoded("utf-8-sig"), recoded("utf-8", "\r\n"), recoded("utf-8-sig", "\r")])
def test_marks_and_line_ends_are_no_matter(tables, write, small_dataset, tmp_path, recode):
    clean = write(small_dataset)
    for name in (DATABASE, STATEMENTS):
        (tmp_path / name).write_bytes(recode((tmp_path / name).read_text()))
    pd.testing.assert_frame_equal(ptbxl.read_index(tmp_path, small_dataset), clean)


@pytest.mark.parametrize(
    ("recode", "message"),
    [
        (recoded("utf-16"), "written in UTF-16 or UTF-32; allowed: UTF-8"),
        (lambda text: text.replace("generated: ", "é", 1).encode("latin-1"), "line 2 is not UTF-8"),
        (lambda text: text.replace("generated: ", "a\0b", 1).encode(), "line 2 holds a NUL character"),
        (lambda text: (text + "1,2,3" + "," * 40 + "\n").encode(), "line .* has 43 fields, its header names 28"),
        (lambda text: (text + '7,"never closed\n').encode(), "EOF inside string"),
        (lambda text: b"", "holds no header"),
        (lambda text: b"x" * 200_000, "holds no header|column 'ecg_id' is missing"),
        (lambda text: text.splitlines()[0].encode(), "its index lists no record"),
    ],
)
def test_a_table_that_is_no_table_is_one_line(write, small_dataset, tmp_path, recode, message):
    write(small_dataset)
    (tmp_path / DATABASE).write_bytes(recode((tmp_path / DATABASE).read_text()))
    with pytest.raises(InputError, match=message) as caught:
        acquire("ptbxl", small_dataset, "local", tmp_path, tmp_path / "out/release.json")
    assert "\n" not in str(caught.value)


def test_a_huge_cell_that_nothing_reads_is_read_past(write, small_dataset):
    assert (write(small_dataset, cell("report", "x" * 3_000_000))["fault"] == "").all()


@pytest.mark.parametrize(
    "file", ["../../secret", "/etc/passwd", "records100/../../x", "C:\\x", "records100//x", "a/" * 2500 + "b"]
)
def test_a_file_outside_the_release_refuses_the_index(write, small_dataset, tmp_path, file):
    write(small_dataset, cell("filename_lr", file))
    with pytest.raises(InputError, match="the index names a file outside the release") as caught:
        acquire("ptbxl", small_dataset, "local", tmp_path, tmp_path / "out/release.json")
    assert "\n" not in str(caught.value)


def test_where_a_bad_row_leads_is_not_looked_at(small_store, small_dataset, tmp_path):
    root = copy_release(small_store, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/someones.dat").write_bytes(b"")
    table = pd.read_csv(root / DATABASE, dtype=str, keep_default_na=False)
    table.loc[0, ["age", "filename_lr"]] = "1500", "../elsewhere/x"
    table.to_csv(root / DATABASE, index=False)
    acquire("ptbxl", small_dataset, "local", root, tmp_path / "out/release.json")
    release = read_json(tmp_path / "out/release.json")
    assert release["bad_rows"] == 1
    assert "elsewhere" not in str(release)


def test_records_of_bad_rows_are_quarantined_and_counted(small_store, small_dataset, tmp_path, capsys):
    root = copy_release(small_store, tmp_path)
    table = pd.read_csv(root / DATABASE, dtype=str, keep_default_na=False)
    for row, (column, value) in enumerate(
        [("age", "1500"), ("filename_lr", ""), ("ecg_id", ""), ("patient_id", ""), ("scp_codes", "{'NORM': nan}")]
    ):
        table.loc[row, column] = value
    table.to_csv(root / DATABASE, index=False)
    store = build("ptbxl", small_dataset, "local", root, tmp_path / "data")
    told = capsys.readouterr().err
    assert f"5 of {len(table):,} rows of the index are at fault; their records are quarantined: 1 x " in told
    found = pd.read_csv(store.with_name("quality.csv"), keep_default_na=False)
    bad = found[found["check"] == "bad-row"].sort_values("record_id")
    assert set(bad["action"]) == {"quarantined"}
    assert sorted(bad["record_id"]) == ["ptbxl/1", "ptbxl/2", "ptbxl/4", "ptbxl/5", "ptbxl/row-3"]
    assert bad.set_index("record_id")["detail"]["ptbxl/row-3"] == "has no ecg_id"
    assert bad.set_index("record_id")["patient_id"]["ptbxl/4"] == "ptbxl/unknown"
    records = pd.read_parquet(store.with_name("records.parquet"))
    assert "fault" not in records
    assert len(records) == len(table) - len(found[found["action"] == "quarantined"]["record_id"].unique())
    release = read_json(tmp_path / "data/release.json")
    assert (release["records"], release["bad_rows"]) == (len(table), 5)
    assert release["patients"] == table["patient_id"][5:].nunique()


def test_two_rows_of_one_file_are_told_as_duplicates(small_store, small_dataset, tmp_path):
    root = copy_release(small_store, tmp_path)
    table = pd.read_csv(root / DATABASE, dtype=str, keep_default_na=False)
    table.loc[1, "filename_lr"] = table.loc[0, "filename_lr"]
    table.to_csv(root / DATABASE, index=False)
    store = build("ptbxl", small_dataset, "local", root, tmp_path / "data")
    found = pd.read_csv(store.with_name("quality.csv"))
    told = found[found["check"] == "duplicate"]
    assert told["record_id"].tolist() == ["ptbxl/2"]
    detail, _, labels = told["detail"].iloc[0].partition(", with other labels: ")
    assert detail == "same samples as ptbxl/1"
    assert labels == "all NDT SR there, LOWT NORM STACH here"  # one recording cannot show both


def test_a_release_without_its_folder_is_named(small_dataset, tmp_path, small_store):
    shutil.copy(small_store.parent / "release" / DATABASE, tmp_path)
    with pytest.raises(InputError, match=r"scp_statements\.csv: no such file"):
        ptbxl.read_index(tmp_path, small_dataset)


def test_a_bad_row_tells_no_hidden_id(small_store, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("VITALBENCH_KEY", "ab" * 32)
    root = copy_release(small_store, tmp_path)
    table = pd.read_csv(root / DATABASE, dtype=str, keep_default_na=False)
    table.loc[0, "age"] = "Jane Doe"
    table.loc[1, "patient_id"] = "Jane Doe"
    table.loc[2, "ecg_id"] = "Jane Doe"
    table.to_csv(root / DATABASE, index=False)
    carry = [name for name in small_dataset.carry if name not in ("record_id", "patient_id")]
    store = build("ptbxl", small_dataset.model_copy(update={"carry": carry}), "local", root, tmp_path / "data")
    findings = pd.read_csv(store.with_name("quality.csv"))
    bad = findings[findings["check"] == "bad-row"]
    assert len(bad) == 3
    assert bad["record_id"].str.fullmatch(r"ptbxl/[0-9a-f]{20}").all()
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"Jane" not in path.read_bytes(), path
