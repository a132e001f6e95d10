"""A store's receipt: everything that belongs to it is recomputed, and what does not match is named, file by file."""

import shutil

import pytest

from vitalbench import cli, layout
from vitalbench.chain import chained, contents
from vitalbench.config import slices
from vitalbench.data.versions import version_of
from vitalbench.errors import ConfigError, GateError, InputError
from vitalbench.files import read_json, write_json
from vitalbench.provenance import environment
from vitalbench.split import neighbours_receipt

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


@pytest.mark.parametrize("pattern", ["*.json", "parts/*.h5", "parts/*.parquet", "parts/*.findings.csv"])
@pytest.mark.parametrize("damage", ["flip", "unlink"])
def test_a_kept_version_is_in_the_receipt(described, capsys, pattern, damage):
    kept = sorted((described / "versions").glob(pattern))[0]
    kept.chmod(0o644)
    flip(kept) if damage == "flip" else kept.unlink()
    said = " here " if damage == "flip" else ": missing"
    assert [said in line for line in told(described, capsys) if str(kept) in line] == [True]


def test_every_older_build_is_in_the_receipt(described, capsys):
    older = read_json(described / "manifest.json")
    parts = older["parts"]
    parts["part-0002.h5"]["sha256"] = parts["part-0001.h5"]["sha256"]
    version = version_of({name: part["sha256"] for name, part in parts.items()})
    write_json(described / f"versions/{version}.json", older | {"version": version, "parts": parts})
    assert cli.run(["describe", "--data", str(described)]) == 0
    (described / f"versions/{version}.json").unlink()
    assert any(line.endswith(f"{version}.json: missing") for line in told(described, capsys))


def test_a_damaged_older_build_is_not_described_as_whole(described):
    (manifest,) = (described / "versions").glob("*.json")
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"part-0002.h5"', '"part-0003.h5"'))
    with pytest.raises(InputError, match=r"versions/.*json: damaged"):
        cli.run(["describe", "--data", str(described)])


@pytest.fixture(scope="module")
def searched_store(described_store, tmp_path_factory):
    """The described store with the near-duplicates that were looked for in it."""
    folder = shutil.copytree(described_store, tmp_path_factory.mktemp("searched") / "data")
    assert cli.run(["neighbours", "--data", str(folder), "--threads", "2"]) == 0
    return folder


@pytest.fixture
def searched(searched_store, tmp_path):
    return shutil.copytree(searched_store, tmp_path / "searched")


def test_a_store_that_was_searched_is_verified_with_what_was_found(searched, capsys):
    assert verify(searched) == 0
    assert "the receipt holds" in capsys.readouterr().out


def test_other_pairs_than_were_found_are_told(searched, capsys):
    pairs = searched / "neighbours.parquet"
    flip(pairs)
    (line,) = told(searched, capsys)
    assert line.startswith(f"output: {pairs}: receipt ")
    pairs.unlink()
    assert told(searched, capsys) == [f"output: {pairs}: missing"]


def test_pairs_without_a_receipt_are_told(searched, capsys):
    (searched / "neighbours.receipt.json").unlink()
    assert told(searched, capsys) == [f"output: {searched / 'neighbours.receipt.json'}: missing"]


def test_a_search_is_only_missed_where_a_split_was_audited(described):
    assert neighbours_receipt.broken(described) == []
    (line,) = neighbours_receipt.broken(described, needed=True)
    assert line.endswith("neighbours.receipt.json: missing")


def test_pairs_of_another_store_or_code_are_told(searched, capsys, monkeypatch):
    flip(searched / "manifest.json")
    stale = f"store: {searched / 'neighbours.parquet'}: found in another build of the store; `vitalbench neighbours` searches"
    assert any(line.startswith(stale) for line in told(searched, capsys))
    flip(searched / "manifest.json")
    monkeypatch.setattr(neighbours_receipt, "code_digest", lambda *modules: "0" * 16)
    (line,) = told(searched, capsys)
    assert line.startswith(f"code: {searched / 'neighbours.receipt.json'}: receipt ")
    assert verify(searched, "--elsewhere") == 0


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


def test_a_damaged_receipt_of_the_search_does_not_hide_what_else_was_altered(searched, capsys):
    (searched / "neighbours.receipt.json").write_text("[1")
    flip(searched / "quality.csv")
    lines = told(searched, capsys)
    assert any(line.startswith("neighbours: ") and "neighbours.receipt.json" in line for line in lines)
    assert any(str(searched / "quality.csv") in line for line in lines)


def test_an_altered_configuration_does_not_hide_an_altered_release_list(described, capsys):
    flip(described / "config.json")
    flip(described / "release.json")
    lines = told(described, capsys)
    assert all(any(str(described / name) in line for line in lines) for name in ("config.json", "release.json"))


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


def test_samples_that_changed_in_place_are_not_searched(searched):
    part = searched / "parts" / "part-0001.h5"
    before = (searched / "neighbours.receipt.json").read_bytes()
    flip(part)
    with pytest.raises(
        InputError, match=r"part-0001\.h5: damaged \(SHA-256 .*; delete it and .*store\.h5, and run again"
    ):
        cli.run(["neighbours", "--data", str(searched), "--threads", "1"])
    assert (searched / "neighbours.receipt.json").read_bytes() == before


def test_records_are_read_though_the_search_is_of_another_build(searched, capsys):
    flip(searched / "manifest.json")
    next((searched / "release").rglob("*.dat")).write_bytes(b"short")
    assert any("short-file" in line for line in told(searched, capsys, "--records"))


@pytest.mark.parametrize(
    "name", ["receipt.json", "neighbours.receipt.json", "parts/part-0000.json", "config.json", "release.json"]
)
@pytest.mark.parametrize("content", ["[]", "{}", "3", '{"chain": 3}'])
def test_a_file_of_the_stores_own_that_is_none_is_told_in_a_line(searched, capsys, name, content):
    (searched / name).write_text(content)
    try:
        lines = told(searched, capsys)
    except InputError as error:
        lines = [str(error)]
    assert any(name.rpartition("/")[2] in line for line in lines)
    assert all("\n" not in line for line in lines)


def test_a_recovered_build_is_verified_by_the_hashes_its_version_is_called_after(described, tmp_path, capsys):
    version = read_json(described / "manifest.json")["version"]
    out = tmp_path / "older"
    assert cli.run(["store", "--data", str(described), "--recover", version, "--out", str(out)]) == 0
    assert verify(out) == 0
    capsys.readouterr()
    part = out / "parts/part-0001.h5"
    flip(part)
    assert [str(part) in line and "receipt " in line for line in told(out, capsys)] == [True]


def test_a_recovery_that_is_refused_leaves_nothing(described, tmp_path):
    version = read_json(described / "manifest.json")["version"]
    kept = sorted((described / "versions/parts").glob("*.h5"))[-1]
    kept.chmod(0o644)
    flip(kept)
    with pytest.raises(InputError, match="missing or altered"):
        cli.run(["store", "--data", str(described), "--recover", version, "--out", str(tmp_path / "older")])
    assert not (tmp_path / "older").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        cli.run(["store", "--data", str(described), "--recover", version, "--out", str(tmp_path / "taken")])


@pytest.mark.parametrize("name", ["store.h5", "records.parquet", "quality.csv"])
@pytest.mark.parametrize("content", [b"PAR1", None])
def test_what_is_no_longer_as_it_was_joined_is_not_described(described, name, content):
    before = (described / layout.DATA_RECEIPT).read_bytes()
    if content is None:
        (described / name).unlink()
    else:
        (described / name).write_bytes(content)
    with pytest.raises(
        InputError, match=f"{name}: missing, or other than when the store was joined; `vitalbench store"
    ):
        cli.run(["describe", "--data", str(described)])
    assert (described / layout.DATA_RECEIPT).read_bytes() == before


@pytest.mark.parametrize("content", ['{"parts": 3}', '{"parts": {"part-0000.h5": 3}, "files": {}}', "[]", "{}"])
@pytest.mark.parametrize("command", ["describe", "neighbours"])
def test_a_manifest_that_is_none_is_one_line(described, command, content):
    (described / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest.json") as refused:
        cli.run([command, "--data", str(described)])
    assert "\n" not in str(refused.value)
