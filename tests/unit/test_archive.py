"""What someone else named or packed stays inside the folder it belongs to."""

import gzip
import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitalbench.data.archive import unpack
from vitalbench.data.checksums import content_hash, read_checksums, safe_name, write_checksums
from vitalbench.errors import InputError

FILES = {"index.csv": b"a,b\n1,2\n", "records/00001.dat": bytes(range(256)) * 40}
OUTSIDE = [
    "../evil",
    "a/../../evil",
    "/etc/evil",
    "C:/evil",
    "a\\..\\evil",
    "a//evil",
    "a/./evil",
    "a\nevil",
    "x" * 256,
    "..",
]


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def refusal(path: Path, most: int = 10**6, folder: str = "") -> str:
    root = path.parent / "release"
    with pytest.raises(InputError) as caught:
        unpack(path, root, most, folder)
    assert not root.exists()
    assert not [left for left in path.parent.iterdir() if left != path]
    assert not (path.parent.parent / "evil").exists()
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_an_archive_becomes_its_files_and_their_hashes(tmp_path, name):
    whole = {f"release-1.0/{name}": content for name, content in FILES.items()}
    made = unpack(packed(tmp_path / name, whole), tmp_path / "release", 10**6, "release-1.0")
    assert made == hashes(FILES)
    assert {
        p.relative_to(tmp_path / "release").as_posix() for p in (tmp_path / "release").rglob("*") if p.is_file()
    } == set(FILES)
    assert (tmp_path / "release/records/00001.dat").read_bytes() == FILES["records/00001.dat"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("member", OUTSIDE)
def test_a_member_cannot_leave_the_folder(tmp_path, name, member):
    (tmp_path / "in").mkdir()
    message = refusal(packed(tmp_path / "in" / name, {**FILES, member: b"x"}))
    assert "no name of a file inside" in message or "twice" in message


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "../../evil"
        archive.addfile(info)
    assert "is a link or a device" in refusal(tmp_path / "a.tar")


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "../evil")
    assert "is a link or a device" in refusal(tmp_path / "a.zip")


def test_more_bytes_than_allowed_are_never_written(tmp_path):
    bomb = packed(tmp_path / "a.zip", {"zeros": bytes(20_000_000)})
    assert bomb.stat().st_size < 50_000
    assert "more than the 1,000,000 bytes" in refusal(bomb)


def test_a_member_that_declares_less_than_it_holds_is_refused(tmp_path):
    content = bytearray(packed(tmp_path / "a.zip", {"zeros": bytes(100_000)}).read_bytes())
    truth, lie = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert content.count(truth) == 2
    (tmp_path / "a.zip").write_bytes(bytes(content.replace(truth, lie)))
    assert "cannot be unpacked" in refusal(tmp_path / "a.zip", most=1000)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path, name):
    path = packed(tmp_path / name, {"random": hashlib.shake_256(b"").digest(50_000)})
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    assert str(path) in refusal(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"<html>sign in</html>"])
def test_what_is_no_archive_is_said_to_be_none(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    assert "neither a zip nor a tar" in refusal(tmp_path / "a.zip")


def test_a_name_twice_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    assert "in it twice" in refusal(tmp_path / "a.tar")


def test_the_named_folder_must_be_in_it(tmp_path):
    assert "holds no folder 'other'" in refusal(packed(tmp_path / "a.zip", FILES), folder="other")


def test_the_old_tree_stays_until_the_new_one_is_whole(tmp_path):
    root = tmp_path / "release"
    unpack(packed(tmp_path / "a.zip", FILES), root, 10**6)
    with pytest.raises(InputError):
        unpack(packed(tmp_path / "b.zip", {"new": b"x", "../evil": b"x"}), root, 10**6)
    assert (root / "index.csv").read_bytes() == FILES["index.csv"]
    unpack(packed(tmp_path / "c.zip", {"new": b"x"}), root, 10**6)
    assert [path.name for path in root.iterdir()] == ["new"]


@given(st.text(alphabet=st.one_of(st.sampled_from("./\\:~ab\0"), st.characters())))
def test_no_name_gets_out(name):
    base = Path("/somewhere/release")
    try:
        plain = safe_name(name)
    except InputError:
        return
    assert Path(f"{base}/{plain}").is_relative_to(base)
    assert ".." not in Path(plain).parts


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.binary(max_size=3), min_size=1))
def test_a_list_is_read_as_it_is_written_and_its_hash_knows_every_byte(files):
    listed = hashes(files)
    assert read_checksums(write_checksums(listed), "list") == listed
    assert content_hash(dict(reversed(listed.items()))) == content_hash(listed)
    for name in listed:
        assert content_hash({**listed, name: "0" * 64}) != content_hash(listed)


def test_the_content_hash_is_what_sha256sum_gives(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1"
    printed = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == content_hash(hashes(FILES))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("<!DOCTYPE html>", "line 2 is not '<sha256> <path>'"),
        (f"{'0' * 63} a", "line 2 is not"),
        (f"{'0' * 64}  ../a", "line 2: '../a' is no name"),
        (f"{'0' * 64} /etc/passwd", "is no name of a file inside"),
        (f"{'1' * 64} a", "a is listed twice with different hashes"),
    ],
)
def test_a_wrong_list_names_the_line(line, said):
    with pytest.raises(InputError, match=r"^list: ") as caught:
        read_checksums(f"{'0' * 64} a\n{line}\n", "list")
    assert said in str(caught.value)


def test_physionets_and_sha256sums_lines_are_both_read():
    a, b = "A" * 64, "b" * 64
    assert read_checksums(f"{a} one file.dat\n{b} *two.dat\n\n{b}  three.dat\r\n", "list") == {
        "one file.dat": "a" * 64,
        "two.dat": b,
        "three.dat": b,
    }


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_damaged_header_is_not_taken_for_the_end(tmp_path, name):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for member in ("a", "b", "c"):
            info = tarfile.TarInfo(member)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    content = bytearray(plain.getvalue())
    content[1024 + 5] ^= 1  # b's header
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert "a header behind the last readable member is damaged" in refusal(tmp_path / name)
