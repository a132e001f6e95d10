"""Nothing about a person reaches the store that its YAML does not list, ids included; a scan tells shapes, never values."""

import bz2
import csv
import gzip
import io
import lzma
import re

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.conftest import build
from tests.unit.test_config import edit
from tests.unit.test_store import copy_release
from vitalbench import cli
from vitalbench.data.index import carried, part_index, read_part
from vitalbench.errors import GateError, InputError
from vitalbench.privacy.field_names import by_name
from vitalbench.privacy.identifying import by_value, masked
from vitalbench.privacy.key import Key, find_key, need_key
from vitalbench.privacy.pseudonym import pseudonyms
from vitalbench.privacy.scan import scan
from vitalbench.privacy.words import KNOWN

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


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_value_is_found_wherever_it_stands_in_a_long_text(before, after):
    found = by_value(["sinus " * before + "anna@example.org" + " rhythm" * after])
    assert found
    assert found[0] == "an e-mail address"


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
    found = scan(identifying_release)
    assert (found.read, found.others) == (3, 0)
    assert {(f.file, f.field, f.why, f.files) for f in found.findings} == {
        ("people.csv", "column 'id'", "named like an id", 1),
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
    assert "9 findings in 3 headers and tables" in shown.err


def test_a_scan_may_be_a_gate(identifying_release, tmp_path_factory):
    with pytest.raises(GateError, match="9 fields look identifying"):
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


def test_what_cannot_be_read_is_a_finding_without_its_content_and_the_scan_goes_on(tmp_path, capsys):
    whole = gzip.compress(b"id,name\n" + b"".join(b"%d,Erika Mustermann\n" % row for row in range(20_000)))
    broken = {
        "a.csv": b'name\nErika\n"Mustermann\n',
        "b.csv.gz": whole[: len(whole) // 2],
        "c.csv.gz": b"no gzip at all",
        "d.csv.gz": whole[:40] + bytes(100) + whole[140:],
        "e.csv": b"name\n" + b"x" * 200_000,
        "f.csv": b"\xff\xfe" + "name\nErika\n".encode("utf-16-le") + b"\x00",
        "g.csv": b"",
        "h.tsv": b"name\tsex\nErika\tf\n",
        "i.csv.bz2": bz2.compress(b"name\nErika\n"),
        "j.tsv.xz": lzma.compress(b"name\tsex\nErika\tf\n"),
        "k.csv.bz2": bz2.compress(b"name\nErika\n")[:-9],
        "l.csv.xz": lzma.compress(b"name\nErika\n")[:-9],
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    assert cli.run(["scan", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    unread = {row["file"]: row["why"] for row in rows if row["why"].startswith("could not be read: ")}
    assert set(unread) == {"a.csv", "b.csv.gz", "c.csv.gz", "d.csv.gz", "e.csv", "k.csv.xx9", "l.csv.xx"}  # shapes
    named = {row["file"] for row in rows if row["why"] == "named like a name"}
    assert named >= {"a.csv", "b.csv.gz", "f.csv", "h.tsv", "i.csv.xx9", "j.tsv.xx"}
    assert "Erika" not in shown.out + shown.err
    assert "in 12 headers and tables" in shown.err


def header_of(tmp_path, comment):
    (tmp_path / "a.hea").write_text(f"a 1 100 1000\na.dat 16 1000/mV 16 0 0 0 0 II\n# {comment}\n")
    return [(found.field, found.why) for found in scan(tmp_path).findings]


@pytest.mark.parametrize(
    ("comment", "field", "why"),
    [
        ("Patient: Hedwig Meier", "comment 'Patient'", "named like an id"),
        ("ID: 4711", "comment 'ID'", "named like an id"),
        ("SubjectID: 4711", "comment 'SubjectID'", "named like an id"),
        ("Hospital number 4711", "comment 'Hospital number'", "named like an id"),
        ("Device serial: 4711", "comment 'Device serial'", "named like an id"),
        ("Accession no.: 4711", "comment 'Accession no.'", "named like an id"),
        ("Maiden name: Meier", "comment 'Maiden name'", "named like a name"),
        ("MRN 4711", "comment 'MRN'", "named like an id"),
        ("Age: 54 Sex: F Name: Hedwig", "comment 'Name'", "named like a name"),
        ("<age>: 54 <sex>: F <dob>: 1.1.", "comment 'dob'", "named like a date"),
        ("Admitted: last Monday", "comment 'Admitted'", "named like a date"),
        ("John Smith presented with chest pain", "comment", "looks like a name"),
        ("Meier, Hedwig", "comment", "looks like a name"),
        ("Hedwig Meier", "comment", "looks like a name"),
        ("the couplets are often seen in a pattern", "comment", "free text"),
        ("93 M 1085 1629 x1", "comment 'age'", "age of 90 or over"),
        ("a 93-year-old", "comment 'age'", "age of 90 or over"),
    ],
)
def test_what_a_comment_gives_away(tmp_path, comment, field, why):
    assert header_of(tmp_path, comment) == [(field, why)]


@pytest.mark.parametrize(
    "comment",
    ["Age: 78", "Sex: Male", "Dx: 67741000119109,426177001", "Rx: Unknown", "<age>: ?? <sex>: ?", "Name: n/a", "ID: -",
     "69 M 1085 1629 x1", "Number of leads: 12", "Location: micu", "persistent atrial fibrillation", "None",
     "Acute infarction (localization): infero-lateral", "Smoker: no", "lead name: II", "sampled at 13:05"],
)  # fmt: skip
def test_what_a_comment_may_say(tmp_path, comment):
    assert header_of(tmp_path, comment) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("patient_id,x\n7,1\n", [("column 'patient_id'", "named like an id")]),
        (
            "Hospital_No;serial\n7;1\n",
            [("column 'Hospital_No'", "named like an id"), ("column 'serial'", "named like an id")],
        ),
        ("x\nHedwig Meier\nAda Wong\nBo Ek Lund\n", [("column 'x'", "looks like a name")]),
        ("x\nSinus Rhythm\n" * 1 + "Atrial Flutter\nSinus Rhythm\n" * 9, []),
        ("x\n19560312\n19601130\n", [("column 'x'", "looks like a date")]),
        ("x,y\n1,078-05-1120\n", [("column 'y'", "looks like an id")]),
        ("age\n40\n091Y\n300\n", [("column 'age'", "age of 90 or over")]),
        ("Erika,12.03.1956\nHans,01.02.1960\n", [("column 2", "looks like a date")]),
        ("7,a@b.org\n8,c@d.org\n", [("column 2", "looks like an e-mail address")]),
        ("quixote,x\na@b.org,1\n", [("column 1 'xxxxxxx'", "looks like an e-mail address")]),
        ("row,x\n1,2,a@b.org\n", [("column 3", "looks like an e-mail address")]),
        ("filename_lr,strat_fold,heart_axis\na/b,1,MID\n", []),
    ],
)
def test_what_a_table_gives_away(tmp_path, content, expected):
    (tmp_path / "a.csv").write_text(content)
    assert [(found.field, found.why) for found in scan(tmp_path).findings] == expected


@pytest.mark.parametrize(
    ("name", "why", "told"),
    [
        ("Mustermann_Erika.dat", "looks like a name", "Xxxxxxxxxx_Xxxxx.dat"),
        ("meier, erika/1.dat", "looks like a name", "xxxxx, xxxxx/9.dat"),
        ("Hedwig_Meier/1.dat", "looks like a name", "Xxxxxx_Xxxxx/9.dat"),
        ("ecg_1956-03-12.dat", "looks like a date", "ecg_9999-99-99.dat"),
        ("ecg_19560312.dat", "looks like a date", "ecg_99999999.dat"),
        ("a@b.org.dat", "looks like an e-mail address", "a@b.xxx.dat"),
    ],
)
def test_a_name_of_a_file_may_be_a_persons(tmp_path, name, why, told):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    (found,) = scan(tmp_path).findings
    assert (found.file, found.field, found.why, found.path) == (told, "file name", why, name)


@pytest.mark.parametrize(
    "name", ["records100/00000/00001_lr.dat", "JS20000.mat", "TCGA-DU-7294_t1_bet.nii.gz", "00013118_008.png"]
)
def test_names_of_files_that_are_nobodys(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    assert scan(tmp_path).findings == []


def words(text):
    return {word.casefold() for word in re.findall(r"[^\W_]+", text)}


_LETTERS = st.text("abcdefghijklmnoprstuvwyzäöüéñ", min_size=5, max_size=12)
_SECRETS = {
    "name": st.builds(lambda one, two, form: form.format(one.title(), two.title()), _LETTERS, _LETTERS,
                      st.sampled_from(["{} {}", "{}, {}", "{}^{}", "Dr. {} {}"])),
    "lower": st.builds("{} {}".format, _LETTERS, _LETTERS),
    "date": st.dates().map(lambda day: day.strftime("%d.%m.%Y")),
    "number": st.integers(10_000, 10**12).map(str),
    "email": st.text("abcdefghijklmnoprstuvwy", min_size=5, max_size=9).map("{}@quux.org".format),
    "phone": st.integers(100_000, 10**9).map(lambda number: f"+49 30 {number}"),
}  # fmt: skip
_FIELDS = [
    "Name",
    "Patient",
    "ID",
    "DOB",
    "MRN",
    "Hospital number",
    "Address",
    "phone",
    "email",
    "serial",
    "first_name",
    "x",
    "quux",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_no_value_that_was_planted_anywhere_is_shown(tmp_path_factory, capsys, data):
    folder = tmp_path_factory.mktemp("s")

    def secret():
        drawn = data.draw(st.one_of(*_SECRETS.values()))
        assume(not any(word in KNOWN or set(word) <= {"x", "9"} for word in words(drawn)))
        planted.append(drawn)
        return drawn

    planted: list[str] = []
    field = data.draw(st.sampled_from(_FIELDS))
    stem = secret().replace("/", "-")
    (folder / f"{stem}.hea").write_text(
        f"{stem.split()[0]} 1 100 1000\n{stem.split()[0]}.dat 16 1000/mV 16 0 0 0 0 {secret()}\n"
        f"# {field}: {secret()}\n# {secret()} {field} {secret()}\n# {secret()}\n"
    )
    pd.DataFrame([[secret(), secret()], [secret(), secret()]], columns=[field, secret()]).to_csv(
        folder / "a.csv", index=False
    )
    pd.DataFrame([[secret(), secret()] for _ in range(3)]).to_csv(folder / "b.tsv", index=False, header=False, sep="\t")
    (folder / "c.csv").write_text(f'{secret()},"{secret()}\n')
    capsys.readouterr()
    cli.run(["scan", str(folder)])
    shown = capsys.readouterr()
    own = words(
        "number file line field why files count example carried named like looks an e mail telephone free text "
        "signal description comment column record names findings in headers and tables other at by could not be read Error"
    )
    assert not {word for drawn in planted for word in words(drawn) if len(word) > 2} & (
        words(shown.out + shown.err.replace(str(folder), "")) - own
    )
    assert len(shown.out.splitlines()) > 1


def test_names_are_shown_as_they_are_on_request_and_a_finding_does_not_show_them(tmp_path, capsys):
    (tmp_path / "Mustermann_Erika.csv").write_text("quux\na@b.org\n")
    assert cli.run(["scan", str(tmp_path), "--names"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {(row["file"], row["field"]) for row in rows} == {
        ("Mustermann_Erika.csv", "file name"),
        ("Mustermann_Erika.csv", "column 'quux'"),
    }
    assert not [found for found in scan(tmp_path).findings if "Erika" in repr(found) or "quux" in repr(found)]


def test_pseudonymous_ids_that_the_yaml_carries_are_no_findings(tmp_path, project, capsys):
    (tmp_path / "r").mkdir()
    (tmp_path / "r/a.csv").write_text("ecg_id,patient_id,site,MRN,report\n1,2,3,4,5\n")
    assert cli.run(["scan", str(tmp_path / "r")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 4
    assert cli.run(["scan", str(tmp_path / "r"), "--dataset", "ptbxl", "--configs", str(project / "configs")]) == 0
    shown = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert [row["field"] for row in rows] == ["column 'MRN'", "column 'report'"]
    assert "2 columns of ids that the data set declares" in shown.err
    edit(project, "datasets/ptbxl.yaml", "carry: [record_id, patient_id, age", "carry: [record_id, age, report")
    assert cli.run(["scan", str(tmp_path / "r"), "--dataset", "ptbxl", "--configs", str(project / "configs")]) == 0
    rows = {row["field"]: row["carried"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows == {"column 'patient_id'": "no", "column 'MRN'": "no", "column 'report'": "yes"}
