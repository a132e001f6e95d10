"""Files from a server that truncates, stalls, refuses, changes and errs: whole and right in the end, or one line that says why."""

import hashlib
import ipaddress
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.release_server import SERVER_TIME, Fault, ReleaseServer
from vitalbench.data.download import Site, download
from vitalbench.data.http_answers import Unreachable, shown
from vitalbench.data.http_file import HttpFile, Patience
from vitalbench.errors import InputError

QUICK = Patience(first_wait_s=0.001, connect_s=5.0, stall_s=0.3)
BIG = hashlib.shake_256(b"a file").digest(400_000)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "big").write_bytes(BIG)
    with ReleaseServer(tmp_path / "served") as running:
        yield running


def get(server: ReleaseServer, tmp_path, *names: str, wanted: str | None = None, streams: int = 4) -> None:
    """Download files of the server into tmp_path/release, held against what it holds now."""
    listed = {name: wanted or sha256((server.root / name).read_bytes()) for name in names}
    download(Site(server.url, streams, QUICK), listed, tmp_path / "release", tmp_path / "work", "files")


def refusal(server: ReleaseServer, tmp_path, *names: str, wanted: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        get(server, tmp_path, *names, wanted=wanted)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Waits(threading.Event):
    """Takes down how long each wait would have been, and waits for nothing."""

    def __init__(self):
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return False


def waits(server: ReleaseServer, tmp_path, patience: Patience | None = None) -> list[float]:
    """The waits of one stream while it fetches `big`."""
    stop = Waits()
    http = HttpFile(patience or Patience(), stop, lambda size: None, lambda size: None)
    http.fetch(f"{server.url}/big", tmp_path / "got", tmp_path / "got.part", sha256(BIG))
    assert (tmp_path / "got").read_bytes() == BIG
    return stop.seconds


def test_files_come_whole_in_no_more_streams_than_asked(server, tmp_path, capsys):
    names = [f"folder {k % 3}/file#{k}" for k in range(40)]
    for name in names:
        (server.root / name).parent.mkdir(exist_ok=True)
        (server.root / name).write_bytes(name.encode() * 500)
    server.rate = 2e6
    get(server, tmp_path, *names, streams=3)
    for name in names:
        assert (tmp_path / "release" / name).read_bytes() == name.encode() * 500
    assert server.most_at_once == 3
    assert "40 of 40 files" in capsys.readouterr().err
    assert not [path for path in (tmp_path / "work/partial").rglob("*") if path.is_file()]


def test_a_truncated_file_is_resumed_where_it_broke_off(server, tmp_path):
    server.faults["big"] = [Fault(cut=150_000), Fault(cut=100_000)]
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG
    ranges = server.requests("big")
    assert len(ranges) == 3
    assert ranges[0] == ""
    resumed = [int(header.removeprefix("bytes=").rstrip("-")) for header in ranges[1:]]
    assert 0 < resumed[0] < resumed[1] < len(BIG)


def test_a_server_that_stalls_is_asked_again(server, tmp_path):
    server.faults["big"] = [Fault(stall=150_000)]
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG
    assert server.requests("big")[1].startswith("bytes=")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_will_not_be_given_is_not_asked_for_twice(server, tmp_path, status):
    server.always["big"] = Fault(status=status)
    assert refusal(server, tmp_path, "big").startswith(f"{server.url}/big: the server answers {status}")
    assert len(server.requests("big")) == 1
    assert not (tmp_path / "release/big").exists()


def test_waits_double_and_vary(server, tmp_path):
    server.faults["big"] = [Fault(status=503)] * 5
    found = waits(server, tmp_path)
    assert len(found) == 5
    for k, seconds in enumerate(found):
        assert 0.25 * 2**k <= seconds <= 0.75 * 2**k
    assert len({seconds / 2**k for k, seconds in enumerate(found)}) > 1


def test_a_server_that_says_when_is_obeyed(server, tmp_path):
    asked = ["17", formatdate(SERVER_TIME + 40, usegmt=True)]
    server.faults["big"] = [
        Fault(status=status, headers={"Retry-After": after}) for status, after in zip([429, 503], asked, strict=True)
    ]
    assert waits(server, tmp_path) == [17, 40]


def test_a_server_that_asks_for_too_much_is_left(server, tmp_path):
    server.always["big"] = Fault(status=429, headers={"Retry-After": "86400"})
    assert "asks to come back in 86400 s" in refusal(server, tmp_path, "big")


def test_a_server_that_never_recovers_is_given_up(server, tmp_path):
    server.always["big"] = Fault(status=503)
    assert "503 Service Unavailable; given up after 6 attempts" in refusal(server, tmp_path, "big")
    assert len(server.requests("big")) == 6


def test_as_long_as_something_new_comes_nothing_is_given_up(server, tmp_path):
    server.faults["big"] = [Fault(cut=40_000)] * 9
    (server.root / "big").write_bytes(BIG)
    http = HttpFile(Patience(attempts=2, first_attempts=2, first_wait_s=0.001), threading.Event(), print, print)
    http.fetch(f"{server.url}/big", tmp_path / "got", tmp_path / "got.part", sha256(BIG))
    assert (tmp_path / "got").read_bytes() == BIG


def test_a_file_that_changes_midway_is_started_over(server, tmp_path):
    new = BIG[::-1]
    server.faults["big"] = [Fault(cut=150_000, then=new)]
    get(server, tmp_path, "big", wanted=sha256(new))
    assert (tmp_path / "release/big").read_bytes() == new
    assert server.sent["big"] == 150_000 + len(new)


def test_one_wrong_byte_is_fetched_again(server, tmp_path):
    server.faults["big"] = [Fault(flip=1234)]
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG
    assert server.requests("big") == ["", ""]


def test_a_byte_that_stays_wrong_names_both_hashes_and_leaves_nothing(server, tmp_path):
    server.always["big"] = Fault(flip=1234)
    wrong = bytearray(BIG)
    wrong[1234] ^= 1
    message = refusal(server, tmp_path, "big")
    assert sha256(BIG) in message
    assert sha256(bytes(wrong)) in message
    assert len(server.requests("big")) == 2
    assert not [path for path in tmp_path.rglob("*big*") if path.is_file() and path.parent != server.root]


def test_without_ranges_the_whole_is_fetched_again(server, tmp_path):
    server.ranges = False
    server.faults["big"] = [Fault(cut=150_000)]
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG
    assert server.sent["big"] == 150_000 + len(BIG)


def test_a_partial_file_of_an_unknown_version_is_not_built_on(server, tmp_path):
    partial = tmp_path / "work/partial/big.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"something else")
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG
    assert server.requests("big") == [""]


def test_a_partial_file_that_was_whole_already_is_fetched_again(server, tmp_path):
    """Killed between the last byte and its name: the server has no such range."""
    partial = tmp_path / "work/partial/big.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(BIG)
    partial.with_name("big.part.tag").write_text(f'"{sha256(BIG)[:16]}"')
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG
    assert server.requests("big") == [f"bytes={len(BIG)}-", ""]


def test_progress_tells_rate_and_time_left(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("vitalbench.data.download._TELL_S", 0.0)
    (server.root / "small").write_bytes(b"abc")
    get(server, tmp_path, "big", "small", streams=1)
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"files: 1 of 2 files, 400 kB received, [\d.e+]+ [kM]?B/s, \d+ s left", told[-2])
    get(server, tmp_path, "big", wanted=sha256(BIG))
    (tmp_path / "release/big").unlink()
    capsys.readouterr()
    get(server, tmp_path, "big")
    halfway = capsys.readouterr().err.splitlines()[0]
    assert "0 of 1 files" in halfway
    assert halfway.endswith("s left")


def certificate(folder) -> tuple[str, str]:
    """A key and a certificate for 127.0.0.1 that only who is told trusts; returns their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_an_encrypted_line_is_held_to_its_certificate_and_never_left(server, tmp_path, monkeypatch):
    cert, key = certificate(tmp_path)
    with ReleaseServer(server.root, certificate=(cert, key)) as secure:
        assert secure.url.startswith("https:")
        assert "certificate is not trusted here" in refusal(secure, tmp_path, "big")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", cert)
        secure.faults["big"] = [Fault(status=302, headers={"Location": f"{server.url}/big"})]
        assert "redirects to an unencrypted address" in refusal(secure, tmp_path, "big")
        get(secure, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == BIG


def test_a_killed_download_asks_only_for_the_rest(server, tmp_path):
    content = BIG * 10
    (server.root / "big").write_bytes(content)
    server.faults["big"] = [Fault(stall=2_500_000)]
    code = (
        "from pathlib import Path; from vitalbench.data.download import Site, download; import sys; "
        "download(Site(sys.argv[1]), {'big': sys.argv[2]}, Path(sys.argv[3]), Path(sys.argv[4]), 'files')"
    )
    arguments = [server.url, sha256(content), str(tmp_path / "release"), str(tmp_path / "work")]
    first = subprocess.Popen([sys.executable, "-c", code, *arguments])
    partial = tmp_path / "work/partial/big.part"
    while not partial.is_file() or partial.stat().st_size < 2_000_000:
        assert first.poll() is None
        threading.Event().wait(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    had = partial.stat().st_size
    assert not (tmp_path / "release/big").exists()
    before = server.sent["big"]
    get(server, tmp_path, "big")
    assert (tmp_path / "release/big").read_bytes() == content
    assert server.requests("big") == ["", f"bytes={had}-"]
    assert server.sent["big"] - before == len(content) - had


def test_what_is_here_is_not_asked_for_and_what_was_touched_is_read_again(server, tmp_path):
    (server.root / "small").write_bytes(b"abc")
    get(server, tmp_path, "big", "small")
    asked = len(server.asked)
    get(server, tmp_path, "big", "small")
    os.utime(tmp_path / "release/big", ns=(1, 1))
    get(server, tmp_path, "big", "small")
    assert len(server.asked) == asked
    (tmp_path / "release/small").write_bytes(b"abd")
    get(server, tmp_path, "big", "small")
    assert [name for name, _ in server.asked[asked:]] == ["small"]
    assert (tmp_path / "release/small").read_bytes() == b"abc"


def test_receipts_spare_a_second_reading(server, tmp_path, monkeypatch):
    get(server, tmp_path, "big")
    monkeypatch.setattr("vitalbench.data.receipts.file_digest", lambda path: pytest.fail(f"{path} is read again"))
    get(server, tmp_path, "big")


def test_damaged_receipts_count_as_none(server, tmp_path):
    get(server, tmp_path, "big")
    (tmp_path / "work/receipts/files.json").write_text("{")
    get(server, tmp_path, "big")
    assert len(server.requests("big")) == 1


def test_the_first_failure_ends_the_other_streams(server, tmp_path):
    for k in range(200):
        (server.root / f"f{k}").write_bytes(BIG[:1000])
    server.always["f3"] = Fault(status=404)
    assert "/f3: the server answers 404" in refusal(server, tmp_path, *(f"f{k}" for k in range(200)))
    assert len(server.asked) < 150


def test_a_link_that_leads_out_of_the_folder_is_not_followed(server, tmp_path):
    (server.root / "sub").mkdir()
    (server.root / "sub/file").write_bytes(b"abc")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "release").mkdir()
    (tmp_path / "release/sub").symlink_to(tmp_path / "elsewhere")
    assert "leads out of" in refusal(server, tmp_path, "sub/file")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_no_connection_is_unreachable_and_soon(tmp_path):
    with ReleaseServer(tmp_path) as gone:
        url = gone.url
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1 cannot be reached: no connection"):
        download(Site(url, patience=QUICK), {"big": None}, tmp_path / "release", tmp_path / "work", "files")


def test_secrets_of_an_address_are_never_shown(server, tmp_path):
    server.faults["big"] = [Fault(status=302, headers={"Location": f"{server.url}/signed?token=SECRET"})]
    server.always["signed"] = Fault(status=403)
    assert "SECRET" not in refusal(server, tmp_path, "big")
    assert shown("https://me:SECRET@host/a?SECRET#SECRET") == "https://host/a"
    gone = Site("http://me:SECRET@127.0.0.1:9/x", patience=QUICK)
    with pytest.raises(InputError) as caught:
        download(gone, {"big": None}, tmp_path / "release", tmp_path / "work", "files")
    assert "SECRET" not in str(caught.value)
