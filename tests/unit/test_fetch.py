"""A release from its publisher: held against its list before any record comes, fetched part by part, stored as a local copy is."""

import json
import shutil

import pandas as pd
import pytest

from tests.conftest import build
from tests.release_server import Fault, ReleaseServer
from tests.unit.test_archive import hashes, packed
from tests.unit.test_store import copy_release
from vitalbench import cli
from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.publisher import Archive, Download
from vitalbench.config.strict import validated
from vitalbench.data.build import DataFolder
from vitalbench.data.checksums import content_hash, write_checksums
from vitalbench.data.datasets import load
from vitalbench.data.wfdb_record import WATERMARK
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import file_digest, read_json, write_json

BASE = "files/ptb-xl/1.0.3"


@pytest.fixture(scope="module")
def release(small_store, tmp_path_factory):
    """A release of 40 records as its publisher has it: the stand-in without watermark, and a file that no one asks for."""
    root = copy_release(small_store, tmp_path_factory.mktemp("publisher"))
    (root / "RECORDS").write_text("not needed\n")
    table = pd.read_csv(root / "ptbxl_database.csv", dtype=str)
    table[:40].to_csv(root / "ptbxl_database.csv", index=False)
    for file in table["filename_lr"][40:]:
        (root / f"{file}.dat").unlink()
        (root / f"{file}.hea").unlink()
    return root


@pytest.fixture
def server(release, tmp_path):
    served = tmp_path / "served" / BASE
    shutil.copytree(release, served)
    files = {path.relative_to(served).as_posix(): file_digest(path) for path in served.rglob("*") if path.is_file()}
    (served / "SHA256SUMS.txt").write_text(write_checksums(files))
    with ReleaseServer(tmp_path / "served") as running:
        yield running


def folder(tmp_path, dataset, server, **download) -> DataFolder:
    """results/data/<data set>/download as the slices make it, the publisher being the server."""
    section = {"url": f"https://physionet.org/{BASE}/", **download}
    config = dataset.model_copy(update={"download": validated(Download, section, "test"), "standin": None})
    data = tmp_path / "download"
    keep = {
        "module",
        "release",
        "version",
        "index_files",
        "carry",
        "signal",
        "parts",
        "codec",
        "quality",
        "download",
        "expected",
    }
    write_json(
        data / "config.json",
        {"dataset": "ptbxl", "source": "download", "root": None, "config": config.model_dump(include=keep), "code": ""},
    )
    write_json(data / "download.json", {"url": f"{server.url}/{BASE}/", "streams": 4})
    return DataFolder(data)


def fetch_all(data: DataFolder) -> DataFolder:
    data.acquire()
    for part in range(data.config.parts):
        data.fetch(part)
    return data


def stored(data: DataFolder) -> dict[str, bytes]:
    for part in range(data.config.parts):
        data.standardise(part)
    data.join()
    return {path.name: path.read_bytes() for path in sorted((data.path / "parts").glob("*.h5"))}


def test_a_download_is_stored_as_a_local_copy_is(server, small_dataset, release, tmp_path):
    found = stored(fetch_all(folder(tmp_path, small_dataset, server)))
    local = build("ptbxl", small_dataset, "local", release, tmp_path / "local").parent
    assert found == {path.name: path.read_bytes() for path in sorted((local / "parts").glob("*.h5"))}
    manifest = read_json(tmp_path / "download/manifest.json")
    assert manifest["release"]["source"] == "download"
    assert manifest["release"]["trust"] == "mirror"
    assert manifest["release"]["url"] == f"https://physionet.org/{BASE}/"


def test_only_the_list_and_the_tables_come_before_the_records(server, small_dataset, tmp_path):
    folder(tmp_path, small_dataset, server).acquire()
    assert [name.removeprefix(f"{BASE}/") for name, _ in sorted(server.asked)] == [
        "SHA256SUMS.txt",
        "ptbxl_database.csv",
        "scp_statements.csv",
    ]


def test_a_part_fetches_its_own_records_and_says_what_it_has(server, small_dataset, tmp_path):
    data = folder(tmp_path, small_dataset, server)
    data.acquire()
    before = len(server.asked)
    data.fetch(1)
    rows = pd.read_parquet(data.path / "index.parquet").query("part == 1")
    names = {f"{file}{extension}" for file in rows["file"] for extension in (".hea", ".dat")}
    assert {name.removeprefix(f"{BASE}/") for name, _ in server.asked[before:]} == names
    report = read_json(data.path / "parts/part-0001.fetched.json")
    files = {name: file_digest(data.root / name) for name in names}
    assert report["files"] == len(names)
    assert report["bytes"] == sum((data.root / name).stat().st_size for name in names)
    assert report["content"] == content_hash(files)


def test_the_content_of_the_tree_is_known_before_it_is_here(server, small_dataset, tmp_path):
    data = folder(tmp_path, small_dataset, server)
    data.acquire()
    told = read_json(data.path / "release.json")["content"]
    fetch_all(data)
    tree = {p.relative_to(data.root).as_posix(): file_digest(p) for p in data.root.rglob("*") if p.is_file()}
    assert told == content_hash(tree)
    pinned = folder(tmp_path, small_dataset, server, content=told)
    pinned.acquire()
    wrong = folder(tmp_path, small_dataset, server, content="0" * 64)
    with pytest.raises(InputError, match=rf"has the SHA-256 {told}; download\.content says 0{{64}}"):
        wrong.acquire()


def test_a_list_that_is_not_the_pinned_one_is_refused(server, small_dataset, tmp_path):
    pin = file_digest(server.root / BASE / "SHA256SUMS.txt")
    data = folder(tmp_path, small_dataset, server, checksums_sha256=pin)
    data.acquire()
    assert read_json(data.path / "release.json")["trust"] == "pinned"
    with pytest.raises(InputError, match=r"SHA256SUMS\.txt: its SHA-256 is \w+, which must be 0{64}"):
        folder(tmp_path, small_dataset, server, checksums_sha256="0" * 64).acquire()


def test_a_sign_in_page_is_no_list(server, small_dataset, tmp_path):
    (server.root / BASE / "SHA256SUMS.txt").write_text("<html>Please sign in</html>\n")
    data = folder(tmp_path, small_dataset, server)
    with pytest.raises(InputError, match=r"SHA256SUMS\.txt: line 1 is not"):
        data.acquire()
    assert not (data.path / "checksums.txt").exists()


def test_a_record_that_is_not_listed_cannot_be_verified(server, small_dataset, tmp_path):
    path = server.root / BASE / "SHA256SUMS.txt"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "/00001_lr.dat" not in line))
    with pytest.raises(InputError, match=r"does not list records100/00000/00001_lr\.dat \(1 such\)"):
        folder(tmp_path, small_dataset, server).acquire()


def test_one_wrong_byte_gives_no_part(server, small_dataset, tmp_path):
    server.always[f"{BASE}/records100/00000/00007_lr.dat"] = Fault(flip=100)
    data = folder(tmp_path, small_dataset, server)
    with pytest.raises(InputError, match=r"00007_lr\.dat: its SHA-256 is"):
        fetch_all(data)
    assert len(list((data.path / "parts").glob("*.fetched.json"))) < data.config.parts
    assert not (data.root / "records100/00000/00007_lr.dat").exists()


def test_what_is_complete_needs_no_network(server, small_dataset, tmp_path, capsys):
    data = fetch_all(folder(tmp_path, small_dataset, server))
    asked = len(server.asked)
    write_json(data.path / "download.json", {"url": "http://127.0.0.1:9/", "streams": 4})
    fetch_all(data)
    assert len(server.asked) == asked


def test_another_list_than_the_acquired_one_is_noticed(server, small_dataset, tmp_path):
    data = folder(tmp_path, small_dataset, server)
    data.acquire()
    (data.path / "checksums.txt").write_text(f"{'0' * 64}  a\n")
    with pytest.raises(InputError, match="not the list that was acquired"):
        data.fetch(0)


def test_offline_names_three_ways_to_go_on(server, small_dataset, tmp_path, capsys, monkeypatch):
    data = folder(tmp_path, small_dataset, server)
    write_json(data.path / "download.json", {"url": "http://127.0.0.1:9/", "streams": 4})
    monkeypatch.setattr("sys.argv", ["vitalbench", "acquire", "--data", str(data.path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    for way in ("127.0.0.1 cannot be reached", "data_root=FOLDER", "mirror=URL", "HTTPS_PROXY", "suite=quick"):
        assert way in told[0]


def archived(server: ReleaseServer, name: str, **changes: bytes) -> Archive:
    """The release as one archive on the server, in a folder of its own as publishers do."""
    root = server.root / BASE
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()} | changes
    path = packed(server.root / BASE / name, {f"ptb-xl-1.0.3/{file}": content for file, content in files.items()})
    return Archive(name=name, sha256=file_digest(path), bytes=sum(map(len, files.values())), folder="ptb-xl-1.0.3")


@pytest.mark.parametrize("name", ["release.zip", "release.tar.gz"])
def test_an_archive_gives_the_same_store(server, small_dataset, tmp_path, name):
    loose = stored(fetch_all(folder(tmp_path / "loose", small_dataset, server)))
    archive = archived(server, name)
    data = fetch_all(folder(tmp_path, small_dataset, server, archive=archive.model_dump()))
    assert stored(data) == loose
    release = read_json(data.path / "release.json")
    tree = {p.relative_to(data.root).as_posix(): p.read_bytes() for p in data.root.rglob("*") if p.is_file()}
    assert release["content"] == content_hash(hashes(tree))
    assert release["trust"] == "pinned"
    asked = len(server.asked)
    fetch_all(data)
    assert len(server.asked) == asked
    assert not (data.path / "archive").exists()


def test_an_unpacked_file_that_was_altered_is_noticed_and_unpacked_again(server, small_dataset, tmp_path):
    archive = archived(server, "release.zip")
    data = fetch_all(folder(tmp_path, small_dataset, server, archive=archive.model_dump()))
    rows = pd.read_parquet(data.path / "index.parquet").query("part == 0")
    altered = data.root / f"{rows['file'].iloc[0]}.dat"
    altered.write_bytes(b"altered")
    with pytest.raises(InputError, match=r"missing or altered since it was unpacked"):
        data.fetch(0)
    fetch_all(data)
    assert altered.read_bytes() != b"altered"


def test_an_archive_that_its_own_list_belies_is_refused(server, small_dataset, tmp_path):
    archive = archived(server, "release.zip", RECORDS=b"other")
    with pytest.raises(InputError, match=r"RECORDS must have the SHA-256 \w+; it has"):
        folder(tmp_path, small_dataset, server, archive=archive.model_dump()).acquire()


def test_nothing_is_fetched_where_nothing_is_downloaded(small_store, small_dataset, tmp_path):
    write_json(tmp_path / "config.json", {"dataset": "ptbxl", "source": "local", "root": "x", "config": {}, "code": ""})
    with pytest.raises(ConfigError, match="source is 'local'"):
        _ = DataFolder(tmp_path).remote


def test_no_file_that_is_left_names_a_mirror_as_the_source(server, small_dataset, tmp_path):
    data = fetch_all(folder(tmp_path, small_dataset, server))
    for path in [data.path / "release.json", *(data.path / "parts").glob("*.json")]:
        assert server.url not in json.dumps(read_json(path))


def headers_only(configs, tmp_path, name):
    """A release that has no table of its records, on a server; the data set, the release, and where it is fetched to."""
    dataset = configs.dataset(name)
    asked = {"patients": 2, "seconds": 80.0} if dataset.standin.seconds else {"patients": 6}
    few = dataset.standin.model_copy(update=asked)
    small = dataset.model_copy(update={"standin": few, "parts": 2})
    release = tmp_path / "publisher"
    load(small.module).write_standin(release, small)
    for header in release.rglob("*.hea"):
        lines = [line for line in header.read_text().splitlines() if WATERMARK not in line]
        header.write_text("\n".join(lines) + "\n")
    for beside in ("STAND-IN.txt", "standin_truth.csv"):
        (release / beside).unlink(missing_ok=True)
    url = dataset.download.url
    served = tmp_path / "served" / url.partition("://")[2].partition("/")[2]
    shutil.copytree(release, served)
    (served / "not-asked-for.txt").write_text("no one asks for it")
    files = {path.relative_to(served).as_posix(): file_digest(path) for path in served.rglob("*") if path.is_file()}
    (served / dataset.download.checksums).write_text(write_checksums(files))
    return small.model_copy(update={"standin": None}), release, tmp_path / "served"


@pytest.mark.parametrize("name", ["edb", "cpsc2021", "georgia"])
def test_a_release_without_a_table_is_downloaded_by_the_headers_that_its_list_names(configs, tmp_path, name):
    dataset, release, root = headers_only(configs, tmp_path, name)
    base = dataset.download.url.partition("://")[2].partition("/")[2]
    with ReleaseServer(root) as server:
        data = DataFolder(tmp_path / "download")
        config = dataset.model_dump(include=set(DatasetBuild.model_fields))
        made = {"dataset": name, "source": "download", "root": None, "config": config, "code": ""}
        write_json(data.path / "config.json", made)
        write_json(data.path / "download.json", {"url": f"{server.url}/{base}", "streams": 2})
        data.acquire()
        first = {path.removeprefix(base) for path, _ in server.asked}
        kinds = {".hea", ".atr"} if dataset.annotations else {".hea"}
        wanted = {path.relative_to(release).as_posix() for path in release.rglob("*") if path.suffix in kinds}
        assert first == {dataset.download.checksums} | wanted
        for part in range(dataset.parts):
            data.fetch(part)
        asked = [path for path, _ in server.asked]
        assert len(asked) == len(set(asked))
        assert not any("not-asked-for" in path for path in asked)
        found = stored(data)
    local = build(name, dataset, "local", release, tmp_path / "local").parent
    assert found == {path.name: path.read_bytes() for path in sorted((local / "parts").glob("*.h5"))}
    here = [read_json(folder / "manifest.json")["content"] for folder in (data.path, local)]
    assert here[0] == here[1]


def test_a_header_that_its_list_belies_is_fetched_again_and_then_refused(configs, tmp_path):
    dataset, release, root = headers_only(configs, tmp_path, "georgia")
    base = dataset.download.url.partition("://")[2].partition("/")[2]
    broken = next(path.relative_to(release).as_posix() for path in sorted(release.rglob("*.hea")))
    with ReleaseServer(root) as server:
        server.always[f"{base}{broken}"] = Fault(flip=5)
        data = DataFolder(tmp_path / "download")
        config = dataset.model_dump(include=set(DatasetBuild.model_fields))
        write_json(
            data.path / "config.json",
            {"dataset": "georgia", "source": "download", "root": None, "config": config, "code": ""},
        )
        write_json(data.path / "download.json", {"url": f"{server.url}/{base}", "streams": 2})
        with pytest.raises(InputError, match=r"\.hea: its SHA-256 is \w{64}, which must be \w{64}"):
            data.acquire()
        assert len(server.requests(f"{base}{broken}")) == 2
    assert not (data.path / "index.parquet").exists()
