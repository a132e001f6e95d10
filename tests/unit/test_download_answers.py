"""Answers that no honest server gives: the file comes right in the end, or one line says why not, and nothing half is kept."""

import errno
import gzip
import hashlib
import resource

import pytest

from tests.raw_server import RawServer, answer
from vitalbench.data.download import Site, download
from vitalbench.data.http_file import Patience
from vitalbench.errors import InputError
from vitalbench.files import write_text

BODY = b"the content of a file\n" * 50
SHA256 = hashlib.sha256(BODY).hexdigest()
LENGTH = f"Content-Length: {len(BODY)}"
GOOD = answer("200 OK", LENGTH, 'ETag: "v1"', body=BODY)
QUICK = Patience(
    first_wait_s=0.001, longest_wait_s=0.01, connect_s=5.0, stall_s=0.5, slow_s=0.2, slowest_bytes_s=1000.0
)


def get(server: RawServer, tmp_path, sha256: str | None = SHA256, **site) -> bytes:
    where = Site(server.url, 1, QUICK, **site)
    download(where, {"file": sha256}, tmp_path / "release", tmp_path / "work", "files")
    return (tmp_path / "release/file").read_bytes()


def refusal(tmp_path, *answers, sha256: str | None = SHA256, **site) -> str:
    with RawServer(*answers) as server, pytest.raises(InputError) as caught:
        get(server, tmp_path, sha256, **site)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert not (tmp_path / "release/file").exists()
    return message


def begun(tmp_path, size: int = 100) -> None:
    """A partial file of version v1."""
    partial = tmp_path / "work/partial/file.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(BODY[:size])
    partial.with_name("file.part.tag").write_text('"v1"')


def part(start: int, end: int, total: object, *more: str, body: bytes | None = None) -> bytes:
    """A 206 whose Content-Range says what it is told to."""
    body = BODY[100:] if body is None else body
    said = (f"Content-Range: bytes {start}-{end}/{total}", f"Content-Length: {len(body)}", *more)
    return answer("206 Partial Content", *said, body=body)


def test_a_part_that_nobody_asked_for_is_not_taken(tmp_path):
    unasked = part(0, len(BODY) - 1, len(BODY), body=BODY)
    with RawServer(unasked, GOOD) as server:
        assert get(server, tmp_path) == BODY
    message = refusal(tmp_path / "again", unasked)
    assert "the server answers with a part where the whole was asked for; given up after 6 attempts" in message


@pytest.mark.parametrize(
    "lie",
    [
        part(99, len(BODY) - 1, len(BODY)),
        part(100, len(BODY) + 1, len(BODY)),
        part(100, 50, len(BODY)),
        part(100, len(BODY) - 2, len(BODY)),
        part(100, len(BODY) - 1, len(BODY) - 9),
        part(100, len(BODY) - 1, "9" * 5000),
        part(100, len(BODY) - 1, "²"),
        part(100, len(BODY) - 1, "*", "Content-Encoding: gzip"),
        answer("206 Partial Content", "Content-Range: pages 1-2/3", body=b"x"),
        answer("206 Partial Content", LENGTH, body=BODY),
    ],
)
def test_a_range_that_lies_is_not_built_on(tmp_path, lie):
    begun(tmp_path)
    with RawServer(lie, GOOD) as server:
        assert get(server, tmp_path) == BODY
    assert "Range: bytes=100-" in server.asked[0]
    assert "Range:" not in server.asked[1]


def test_a_shorter_range_than_asked_is_gone_on_from(tmp_path):
    begun(tmp_path)
    rest = part(200, len(BODY) - 1, len(BODY), body=BODY[200:])
    with RawServer(part(100, 199, len(BODY), body=BODY[100:200]), rest) as server:
        assert get(server, tmp_path) == BODY
    assert "Range: bytes=200-" in server.asked[1]


@pytest.mark.parametrize("length", ["9" * 5000, "-5", "²", "5, 7", "1e3", "", "0x10"])
def test_a_length_that_is_none_is_asked_for_again(tmp_path, length):
    with RawServer(answer("200 OK", f"Content-Length: {length}", body=BODY), GOOD) as server:
        assert get(server, tmp_path) == BODY
    message = refusal(tmp_path / "again", answer("200 OK", f"Content-Length: {length}", body=BODY))
    assert "the server states a length that is none" in message or "contradict" in message


@pytest.mark.parametrize(
    "after", ["²", "9" * 5000, "-1", "soon", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "\xff"]
)
def test_a_strange_wait_is_no_traceback(tmp_path, after):
    busy = answer("503 Service Unavailable", f"Retry-After: {after}", "Content-Length: 0")
    if after == "9" * 5000:
        assert "asks to come back in" in refusal(tmp_path, busy)
    else:
        with RawServer(busy, GOOD) as server:
            assert get(server, tmp_path) == BODY


# -- bodies ---------------------------------------------------------------------------------------------------------------------


def endless(over):
    yield answer("200 OK")
    while not over.is_set():
        yield b"x" * 60_000


def chunked(over):
    yield answer("200 OK", "Transfer-Encoding: chunked")
    while not over.is_set():
        yield b"ea60\r\n" + b"x" * 60_000 + b"\r\n"


@pytest.mark.parametrize(
    "body",
    [endless, chunked, answer("200 OK", "Content-Encoding: gzip", body=gzip.compress(bytes(5_000_000)))],
    ids=["no length", "chunked", "gzip"],
)
def test_a_body_without_a_length_ends_at_the_limit(tmp_path, body):
    message = refusal(tmp_path, body, most_bytes=1_000_000)
    assert "more than the 1,000,000 bytes that download.largest_file_bytes allows" in message
    assert not list((tmp_path / "work/partial").iterdir())


def test_a_length_beyond_the_limit_is_not_begun(tmp_path):
    message = refusal(tmp_path, answer("200 OK", "Content-Length: 5000000", body=b"x"), most_bytes=1_000_000)
    assert "5,000,000 bytes, more than the 1,000,000 bytes that download.largest_file_bytes allows" in message


def test_a_server_that_sends_next_to_nothing_is_left(tmp_path):
    def trickle(over):
        yield answer("200 OK", LENGTH, 'ETag: "v1"')
        for at in range(len(BODY)):
            over.wait(0.02)
            yield BODY[at : at + 1]

    message = refusal(tmp_path, trickle)
    assert "the server sends less than 1000 bytes a second; given up after 6 attempts" in message


def test_a_list_that_may_be_cut_off_is_not_taken(tmp_path):
    """Without a length, an end or a hash to hold it against, a broken line looks like the end of the file."""
    message = refusal(tmp_path, answer("200 OK", body=BODY[:500]), sha256=None)
    assert "states no length, so a part could be taken for the whole" in message
    with RawServer(answer("200 OK", body=BODY)) as server:
        assert get(server, tmp_path / "b") == BODY


@pytest.mark.parametrize(
    "broken",
    [
        answer("200 OK", "Transfer-Encoding: chunked", body=b"10\r\nabc"),
        answer("200 OK", "Transfer-Encoding: chunked", body=b"zz\r\nabc\r\n0\r\n\r\n"),
        answer("200 OK", "Transfer-Encoding: chunked", body=b"f" * 5000 + b"\r\nabc"),
        answer("200 OK", f"Content-Length: {len(BODY)}", "Content-Encoding: gzip", body=gzip.compress(BODY)),
        answer("200 OK", "Content-Length: 40", "Content-Encoding: gzip", body=b"not packed at all" * 5),
    ],
)
@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_broken_body_is_asked_for_again(tmp_path, broken, sha256):
    with RawServer(broken, GOOD) as server:
        assert get(server, tmp_path, sha256) == BODY


def test_what_is_packed_on_the_way_is_unpacked(tmp_path):
    packed = gzip.compress(BODY)
    told = answer("200 OK", f"Content-Length: {len(packed)}", "Content-Encoding: gzip", 'ETag: "v1"', body=packed)
    with RawServer(told) as server:
        assert get(server, tmp_path) == BODY


def test_a_packed_file_is_kept_packed(tmp_path):
    """Some servers call a .gz file an encoding of what is in it."""
    packed = gzip.compress(BODY)
    told = answer("200 OK", f"Content-Length: {len(packed)}", "Content-Encoding: x-gzip", body=packed)
    with RawServer(told) as server:
        wanted = {"file.tar.gz": hashlib.sha256(packed).hexdigest()}
        download(Site(server.url, 1, QUICK), wanted, tmp_path / "release", tmp_path / "work", "files")
    assert (tmp_path / "release/file.tar.gz").read_bytes() == packed


# -- ways elsewhere, heads, disks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/file", "redirects more than 10 times"),
        ("file:///etc/passwd", "redirects to a file: address"),
        ("ftp://127.0.0.1/file", "redirects to a ftp: address"),
        ("http://[", "redirects to what is no address"),
        ("//", "redirects more than 10 times"),
        ("http://127.0.0.1:999999/", "redirects to what is no address|cannot be asked for"),
        ("\xff\xfe", "redirects to what is no address"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_one_line(tmp_path, location, told):
    message = refusal(tmp_path, answer("302 Found", f"Location: {location}", "Content-Length: 0"))
    assert any(way in message for way in told.split("|")), message


@pytest.mark.parametrize(
    "head",
    [
        answer("200 OK", *(f"X-{k}: y" for k in range(5000)), LENGTH, body=BODY),
        answer("200 OK", "X: " + "y" * 1_000_000, LENGTH, body=BODY),
        answer("200 " + "O" * 1_000_000, LENGTH, body=BODY),
        b"garbage\r\n\r\n",
        b"HTTP/1.1 9999999 What\r\n\r\n",
        b"",
        answer("200 OK", LENGTH, "Last-Modified: " + "z" * 60_000, body=BODY[:10]),
    ],
)
def test_a_strange_head_is_asked_for_again(tmp_path, head):
    with RawServer(head, GOOD) as server:
        assert get(server, tmp_path) == BODY


def test_a_full_disk_is_one_line(tmp_path):
    """A limit on the size of files stands in for it: the same error from the same call."""
    big = b"x" * 3_000_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        message = refusal(tmp_path, answer("200 OK", f"Content-Length: {len(big)}", body=big))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "release/file: cannot be written: File too large" in message


def test_a_disk_that_is_full_when_receipts_are_kept_names_the_file(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_text(tmp_path / "receipts.json", "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / "receipts.json")


def dribbled(head: bytes):
    """A head, and then a byte of it a tenth of a second, for ever: no line and no body comes of it."""

    def pieces(over):
        yield head
        while not over.wait(0.1):
            yield b"y"

    return pieces


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"],
    ids=["head", "chunk"],
)
def test_a_server_that_dribbles_what_is_no_part_of_the_file_is_left(tmp_path, head):
    message = refusal(tmp_path, dribbled(head))
    assert "given up after" in message


@pytest.mark.parametrize("tag", [b"\xff\xfe", b'"v1"\r\nX: y', b"", b"\x00"])
def test_a_partial_file_of_no_readable_version_is_begun_anew(tmp_path, tag):
    begun(tmp_path)
    (tmp_path / "work/partial/file.part.tag").write_bytes(tag)
    with RawServer(GOOD) as server:
        assert get(server, tmp_path) == BODY
        assert "Range" not in server.asked[0]
