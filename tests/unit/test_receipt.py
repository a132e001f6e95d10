"""A store's receipt: everything that belongs to it is recomputed, and what does not match is named, file by file."""

import shutil

import pytest

from vitalbench import cli
from vitalbench.chain import chained, contents
from vitalbench.config import slices
from vitalbench.errors import GateError, InputError
from vitalbench.files import read_json, write_json
from vitalbench.provenance import environment

FILES = [
    "release.json",
    "config.json",
    "index.parquet",
    "store.h5",
    "records.parquet",
    "quality.csv",
    "manifest.json",
    "croissant.json",
    "parts/part-0001.h5",
    "parts/part-0001.parquet",
    "parts/part-0001.findings.csv",
    "parts/part-0001.json",
    "release/ptbxl_database.csv",
    "release/scp_statements.csv",
]


def verify(folder, *more: str) -> int:
    return cli.run(["verify", "--data", str(folder), *more])


def flip(path):
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def told(folder, capsys, *more: str) -> list[str]:
    """What is printed of a receipt that does not hold."""
    with pytest.raises(GateError):
        verify(folder, *more)
    return capsys.readouterr().out.splitlines()


def test_a_store_as_it_was_built_is_verified_in_one_line(described, capsys):
    assert verify(described) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{described}: the receipt holds, chain ")


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_names_its_file_alone_with_both_hashes(described, capsys, name):
    flip(described / name)
    lines = [line for line in told(described, capsys) if str(described / name) in line]
    assert lines
    assert any("receipt " in line and "here " in line for line in lines)


@pytest.mark.parametrize("name", ["store.h5", "parts/part-0002.h5", "release/ptbxl_database.csv", "config.json"])
def test_a_missing_file_is_named(described, capsys, name):
    (described / name).unlink()
    assert any(line.endswith(f"{described / name}: missing") for line in told(described, capsys))


def test_other_code_or_another_environment_is_told(described, capsys, monkeypatch):
    monkeypatch.setattr("vitalbench.data.store_receipt.data_code", lambda module: "0" * 16)
    monkeypatch.setattr(
        "vitalbench.provenance.environment",
        lambda: environment() | {"packages": environment()["packages"] | {"numpy": "0.1"}},
    )
    lines = told(described, capsys)
    assert [line.split(":")[0] for line in lines] == ["code", "environment"]
    assert lines[1].startswith("environment: numpy: receipt ")
    assert lines[1].endswith("here 0.1")
    assert verify(described, "--elsewhere") == 0


def test_an_edited_receipt_breaks_its_own_chain(described, capsys):
    receipt = read_json(described / "receipt.json")
    receipt["chain"][0]["content"]["samples"] = "0" * 16
    write_json(described / "receipt.json", receipt)
    assert "link 'source': states" in told(described, capsys)[0]


def test_a_link_taken_out_of_the_middle_breaks_the_chain(tmp_path):
    chain = chained({"a": 1, "b": 2, "c": 3})
    assert contents(chain, tmp_path)[1] == []
    assert "link 'c'" in contents([chain[0], chain[2]], tmp_path)[1][0]
    assert "link 'b'" in contents([chain[1], chain[0], chain[2]], tmp_path)[1][0]


def test_a_record_changed_in_the_release_is_found_where_it_is_read_again(described, capsys):
    assert verify(described, "--records") == 0
    record = next((described / "release").rglob("*.dat"))
    flip(record)
    capsys.readouterr()
    assert any(str(record.with_suffix("")) in line for line in told(described, capsys, "--records"))
    assert verify(described) == 0  # a look at the files alone does not read them


@pytest.mark.parametrize("content", ['{"chain": [{"link": "source"}]}', '{"chain": 3}', "{}", "[1", '{"chain": []}'])
def test_a_receipt_that_is_none_is_one_line(described, content):
    (described / "receipt.json").write_text(content)
    with pytest.raises(InputError, match=r"receipt\.json"):
        verify(described)


def test_without_a_receipt_there_is_nothing_to_verify(described):
    (described / "receipt.json").unlink()
    with pytest.raises(InputError, match=r"receipt\.json: no such file"):
        verify(described)


def test_the_environment_is_what_the_package_needs_and_no_more():
    packages = environment()["packages"]
    assert {"numpy", "h5py", "torch", "cryptography"} <= set(packages)
    assert "ruff" not in packages
    assert "vitalbench" not in packages


def test_the_same_folder_elsewhere_is_verified_too(described, tmp_path):
    shutil.move(described, tmp_path / "elsewhere")
    assert verify(tmp_path / "elsewhere") == 0


def test_the_code_of_a_receipt_is_the_code_of_the_store(described):
    links, _ = contents(read_json(described / "receipt.json")["chain"], described)
    assert links["code"]["code"] == slices.data_code("ptbxl")
