"""Tables to audit as people have them: whatever its writing, the leak in it is found; what cannot be read is one line."""

import bz2
import gzip
import io
import lzma
import os
import unicodedata

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vitalbench import cli
from vitalbench.errors import GateError, InputError
from vitalbench.split.audit import audit, read_table

ROWS = ["record_id,patient_id,split", "a,1,train", "b,2,val", "c,1,test", "d,3,train"]
TEXT = "\n".join(ROWS) + "\n"
TABLE = pd.read_csv(io.StringIO(TEXT), dtype=str)


def parquet(table: pd.DataFrame, **options) -> bytes:
    out = io.BytesIO()
    table.to_parquet(out, **options)
    return out.getvalue()


def arrow(names: list[str], columns: list) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(column) for column in columns], names=names), out)
    return out.getvalue()


WITH_LEAK = {
    "t.csv": TEXT.encode(),
    "mark.csv": TEXT.encode("utf-8-sig"),
    "crlf.csv": TEXT.replace("\n", "\r\n").encode(),
    "cr.csv": TEXT.replace("\n", "\r").encode(),
    "t.tsv": TEXT.replace(",", "\t").encode(),
    "t.tab": TEXT.replace(",", "\t").encode(),
    "tabs.csv": TEXT.replace(",", "\t").encode(),
    "semicolons.csv": TEXT.replace(",", ";").encode(),
    "bars.txt": TEXT.replace(",", "|").encode(),
    "quoted.csv": "\n".join(",".join(f'"{cell}"' for cell in row.split(",")) for row in ROWS).encode(),
    "spaces.csv": TEXT.replace(",", " , ").encode(),
    "blank-lines.csv": ("\n" + TEXT.replace("\n", "\n\n")).encode(),
    "no-suffix": TEXT.encode(),
    "t.csv.gz": gzip.compress(TEXT.encode()),
    "t.tsv.gz": gzip.compress(TEXT.replace(",", "\t").encode()),
    "misnamed.csv": gzip.compress(TEXT.encode()),
    "t.csv.bz2": bz2.compress(TEXT.encode()),
    "t.csv.xz": lzma.compress(TEXT.encode()),
    "t.parquet": parquet(TABLE),
    "t.parquet.gz": gzip.compress(parquet(TABLE)),
    "parquet.csv": parquet(TABLE),
    "index.parquet": parquet(TABLE.set_index("record_id")),
    "two-level-index.parquet": parquet(TABLE.set_index(["record_id", "patient_id"])),
    "numbers.parquet": parquet(TABLE.assign(patient_id=TABLE["patient_id"].astype(int))),
    "floats.parquet": parquet(TABLE.assign(patient_id=TABLE["patient_id"].astype(float))),
    "categories.parquet": parquet(TABLE.astype("category")),
    "nested-beside.parquet": arrow([*TABLE, "x"], [*(TABLE[c].tolist() for c in TABLE), [[1], [2], [3], []]]),
    "saved-index.csv": TABLE.to_csv().encode(),
    "dots.csv": TEXT.replace("split\n", "split,hr,hr.1\n").replace("train\n", "train,1,2\n").encode(),
    "unnamed.csv": TEXT.replace("split\n", "split,,\n").encode(),
    "nan.csv": TEXT.replace(",1,", ",NA,").encode(),  # an id may be called NA
}


@pytest.mark.parametrize("name", WITH_LEAK)
def test_a_leak_is_found_whatever_the_tables_writing(tmp_path, name):
    (tmp_path / name).write_bytes(WITH_LEAK[name])
    with pytest.raises(GateError, match="the split leaks: patient-overlap train-test: 1"):
        cli.run(["audit", "--records", str(tmp_path / name)])


WITHOUT_SENSE = {
    "twice.parquet": (
        arrow([*TABLE, "split"], [TABLE[c].tolist() for c in (*TABLE, "split")]),
        "'split' stands there twice",
    ),
    "twice.csv": (TEXT.replace("split", "split,record_id").encode(), "'record_id' stands there twice"),
    "wide.csv": (TEXT.encode("utf-16"), "written in UTF-16"),
    "latin.csv": (TEXT.replace("b,", "é,").encode("latin-1"), "line 3 is not UTF-8"),
    "nul.csv": (TEXT.replace("b,", "b\0,").encode(), "line 3 holds a NUL"),
    "longer.csv": (TEXT.replace("test", "test,x").encode(), "line 4 has 4 fields, its header names 3"),
    "all-longer.csv": ("\n".join([ROWS[0], *(f"{row}," for row in ROWS[1:])]).encode(), "more fields than its header"),
    "shorter.csv": (TEXT.replace("b,2,val", "b,2").encode(), "row 2: column 'split' holds ''; allowed: .*train"),
    "open-quote.csv": (TEXT.replace("b,2", 'b,"2').encode(), "EOF inside string"),
    "empty.csv": (b"", "holds no header"),
    "blank.csv": (b"\n\n  \n", "holds no header"),
    "header.csv": (ROWS[0].encode(), "holds no row"),
    "damaged.csv.gz": (gzip.compress(TEXT.encode())[:-12], "not readable"),
    "damaged.parquet": (parquet(TABLE)[:-20], "not readable as parquet"),
    "text.parquet": (TEXT.encode(), "not readable as parquet: it does not begin as one"),
    "sheet.xlsx": (b"PK\x03\x04" + bytes(40), "a zip archive or a spreadsheet; allowed: CSV, TSV"),
    "bytes.csv": (bytes(range(1, 256)), "line 11 is not UTF-8|not readable"),
    "nested.parquet": (arrow([*TABLE], [[["a"]], ["1"], ["train"]]), "column 'record_id' is missing"),
    "binary.parquet": (
        arrow([*TABLE], [[b"a"], ["1"], ["train"]]),
        "row 1: column 'record_id' is neither text nor a number",
    ),
    "holes.parquet": (parquet(TABLE.assign(patient_id=[1.5, None, 2, 3])), "row 2: column 'patient_id' is empty"),
    "json.csv": (b'[{"record_id": "a"}]\n[]\n', "column 'record_id' is missing"),
    "huge-header.csv": (b"x" * 300_000 + b"\n1\n", "holds no header that can be read"),
}


@pytest.mark.parametrize("name", WITHOUT_SENSE)
def test_what_cannot_be_audited_is_one_line(tmp_path, name):
    content, message = WITHOUT_SENSE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        cli.run(["audit", "--records", str(tmp_path / name)])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert name in str(caught.value)


def test_a_folder_and_a_pipe_are_no_tables(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for name in (".", "pipe.csv"):
        with pytest.raises(InputError, match="not a file"):
            read_table(tmp_path / name)


# -- ids that differ in writing only --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")),
        ("p1", "p\u200b1"),
        ("p1", "\ufeffp1"),
        ("p\u00ad1", "p1"),
        ("p 1", "p\u00a01"),
        ("p  1", "p 1"),
        ("a/ p1", "a/p1"),
        ("P1", "p1"),
        ("straße", "STRASSE"),
        ("p１", "p1"),
        ("p-1", "p\u20111"),
        ("p-1", "p\u22121"),
        ("007", "7"),
        ("a/007", "A/7"),
        ("7.0", "7"),
        ("7.00", "7"),
    ],
)
@pytest.mark.parametrize("kind", ["patient", "record", "recording"])
def test_ids_in_two_writings_are_told(tmp_path, a, b, kind):
    rows = pd.DataFrame({"record_id": ["x", "y"], "patient_id": ["x", "y"], "split": ["train", "test"]})
    rows = rows.assign(recording_id=["x", "y"], start_s=0, end_s=1).assign(**{f"{kind}_id": [a, b]})
    rows.to_csv(tmp_path / "t.csv", index=False)
    checks, pairs = audit(read_table(tmp_path / "t.csv"))
    told = {check.check: (check.found, check.verdict) for check in checks if check.found}
    assert told == {f"{kind}-lookalike": (1, "noted")}
    assert pairs["check"].tolist() == [f"{kind}-lookalike"]


@pytest.mark.parametrize(
    ("a", "b"), [("p1", "p2"), ("a/1", "b/1"), ("10", "1"), ("1.5", "1"), ("a-1", "a1"), ("0", "00x")]
)
def test_other_ids_are_other_ids(tmp_path, a, b):
    rows = pd.DataFrame({"record_id": [a, b], "patient_id": [a, b], "split": ["train", "test"]})
    rows.to_csv(tmp_path / "t.csv", index=False)
    checks, _ = audit(read_table(tmp_path / "t.csv"))
    assert not [check.check for check in checks if check.found]


# -- lists of the records that statistics were fitted on ------------------------------------------------------------------------


@pytest.fixture
def fitted(tmp_path):
    """Audits a clean split of two data sets, `clean.csv`, with a list of fitted records."""
    rows = "record_id,patient_id,split\na/1,a1,train\na/2,a2,test\nb/1,b1,test\nb/3,b3,train\nc,c,train\n"
    (tmp_path / "clean.csv").write_text(rows)

    def audited(content: bytes, name: str = "fitted.txt") -> int:
        (tmp_path / name).write_bytes(content)
        return cli.run(["audit", "--records", str(tmp_path / "clean.csv"), "--fitted-on", str(tmp_path / name)])

    return audited


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.txt", b"a/1\nb/3\n"),
        ("f.txt", "a/1\nb/3\n".encode("utf-8-sig")),
        ("f.txt", "record_id\na/1\nb/3\n".encode("utf-8-sig")),
        ("f.txt", b"a/1\r\nb/3\r\n"),
        ("f.txt", b"  3 \nc\n\n"),
        ("f.csv", b"patient_id,record_id\nb1,a/1\nb1,b/3\n"),
        ("f.csv", b"record_id;split\na/1;test\n"),
        ("f.tsv.gz", gzip.compress(b"split\trecord_id\ntest\ta/1\n", mtime=0)),
        ("f.parquet", parquet(pd.DataFrame({"record_id": ["a/1", "c"], "x": [1, 2]}))),
    ],
)
def test_a_list_of_training_records_is_clean_whatever_its_writing(fitted, name, content):
    assert fitted(content, name) == 0


@pytest.mark.parametrize(
    ("name", "content"), [("f.txt", b"a/1\nb/1\n"), ("f.txt", b"2\n"), ("f.csv", b"x,record_id\na/1,b/1\n")]
)
def test_a_list_with_a_test_record_leaks(fitted, name, content):
    with pytest.raises(GateError, match="statistics-outside-train train: 1"):
        fitted(content, name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.txt", b"1\n", "record '1' may be a/1 or b/1; name it with its data set"),
        ("f.txt", b"a/1\n1\n", "record '1' may be a/1 or b/1"),
        ("f.csv", b"patient_id,split\na1,train\n", "column 'record_id' is missing; allowed: patient_id, split"),
        ("f.csv", b"a/1,train\nb/3,train\n", "column 'record_id' is missing"),
        ("f.csv", b"record_id,split\na/1,train\n,train\n", "row 2: column 'record_id' is empty"),
        ("f.txt", b"\n  \n", "holds no record id"),
        ("f.txt", b"record_id\n", "holds no record id"),
        ("f.txt", "a/1\n".encode("utf-16"), "written in UTF-16"),
        ("f.parquet", parquet(pd.DataFrame({"id": ["a/1"]})), "column 'record_id' is missing"),
    ],
)
def test_a_list_that_does_not_say_which_records_is_one_line(fitted, name, content, message):
    with pytest.raises(InputError, match=message) as caught:
        fitted(content, name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
