"""A release from its publisher: its checksum list and own tables first, then the files of one part at a time.

In results/data/<data set>/download: `checksums.txt` is the publisher's list, or that of an unpacked archive; `release/` holds whole
and verified files only; `partial/` what is still coming; `receipts/` what was verified.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import listed_headers
from vitalbench.config.publisher import Archive, Download
from vitalbench.data.archive import unpack
from vitalbench.data.checksums import LIST, Listed, content_hash, read_checksums, write_checksums
from vitalbench.data.download import Site, download
from vitalbench.data.http_answers import Unreachable
from vitalbench.data.receipts import Receipts
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json, write_json, write_text
from vitalbench.progress import say


def _checksums_of(path: Path, source: object) -> dict[str, str]:
    try:
        return read_checksums(path.read_text(encoding="utf-8"), source)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `vitalbench acquire` fetches it") from None
    except UnicodeDecodeError:
        raise InputError(f"{source}: not a list of checksums") from None


def index_names(config: DatasetBuild, names: Iterable[str]) -> list[str]:
    """The files that list a release's records: its tables, or where it has none every header among `names`.

    Raises:
        InputError: there is no header where the data set looks for them.
    """
    headers = listed_headers(names, config.header_folders, config.annotations)
    if config.header_folders and not headers:
        raise InputError(f"{config.release}: no header below {' or '.join(config.header_folders)} is listed")
    return [*config.index_files, *headers]


@dataclass(frozen=True)
class Remote:
    """A release on a server and the folder it is fetched into.

    Attributes:
        folder: results/data/<data set>/download.
        config: the data set's.
        site: where its files are: the publisher, or a mirror.
    """

    folder: Path
    config: DatasetBuild
    site: Site

    @property
    def root(self) -> Path:
        """The release's folder."""
        return self.folder / "release"

    @property
    def publisher(self) -> Download:
        """What the configuration says of the download."""
        if self.config.download is None:
            raise InputError(f"{self.config.release}: its configuration has no section 'download'")
        return self.config.download

    def listed(self) -> Listed:
        """The list as it is here."""
        path = self.folder / LIST
        files = _checksums_of(path, path)
        pinned = self.publisher.archive or self.publisher.checksums_sha256
        trust = "pinned" if pinned else "publisher" if self.site.url == self.publisher.url else "mirror"
        return Listed(files, file_digest(path), str(path), trust)

    def open(self) -> Listed:
        """Fetch the list and the release's own tables, or the whole where it is an archive."""
        with self._ways_on():
            if self.publisher.archive:
                self._unpack(self.publisher.archive)
            else:
                self._fetch_list()
                listed = self.listed()
                self._fetch(listed.select(index_names(self.config, listed.files)), "index")
        return self.listed()

    def fetch(self, files: Iterable[str], label: str) -> None:
        """Have the files of one part, and write parts/<label>.fetched.json."""
        listed = self.listed()
        if read_json(self.folder / "release.json").get("checksums") != listed.sha256:
            raise InputError(f"{listed.source}: not the list that was acquired; run `vitalbench acquire` again")
        wanted = listed.select(files)
        with self._ways_on():
            receipts = self._fetch(wanted, label)
        report = {
            "files": len(wanted),
            "bytes": receipts.bytes(wanted),
            "content": content_hash(wanted),
            "checksums": listed.sha256,
        }
        write_json(self.folder / "parts" / f"{label}.fetched.json", report)

    def _fetch(self, wanted: dict[str, str], label: str) -> Receipts:
        if self.publisher.archive is None:
            return download(self._bounded(), wanted, self.root, self.folder, label)
        receipts = self._receipts_of_archive()
        for name, sha256 in wanted.items():
            if receipts.sha256(name) != sha256:
                raise InputError(
                    f"{self.root / name}: missing or altered since it was unpacked; run `vitalbench acquire` again"
                )
        say(f"{label}: {len(wanted):,} files as unpacked")
        return receipts

    def _bounded(self, at_least: int = 0) -> Site:
        """The site, its files no larger than configured."""
        return replace(self.site, most_bytes=max(self.publisher.largest_file_bytes, at_least))

    def _fetch_list(self) -> None:
        """Fetch the list, unless one is here that nothing speaks against."""
        path, name, pinned = self.folder / LIST, self.publisher.checksums, self.publisher.checksums_sha256
        if path.is_file() and pinned in (None, file_digest(path)):
            return
        taken = self.folder / "list"
        download(self._bounded(), {name: pinned}, taken, self.folder, "list")
        _checksums_of(taken / name, self.site.file(name))
        (taken / name).replace(path)

    def _receipts_of_archive(self) -> Receipts:
        return Receipts(self.folder / "receipts" / "unpacked.json", self.root)

    def _unpack(self, archive: Archive) -> None:
        """Unpack the release, unless it is here as it was unpacked from that very archive."""
        marker, receipts = self.folder / "unpacked.json", self._receipts_of_archive()
        if marker.is_file() and read_json(marker) == archive.model_dump():
            here = self.listed().files
            if all(receipts.sha256(name) == sha256 for name, sha256 in here.items()):
                return
        marker.unlink(missing_ok=True)
        packed = self.folder / "archive"
        # Packed it has hardly more bytes than unpacked.
        download(self._bounded(archive.bytes), {archive.name: archive.sha256}, packed, self.folder, "archive")
        made = unpack(packed / archive.name, self.root, archive.bytes, archive.folder)
        self._hold_against_own_list(made)
        for name, sha256 in made.items():
            receipts.add(name, sha256)
        receipts.save()
        write_text(self.folder / LIST, write_checksums(made))
        write_json(marker, archive.model_dump())
        shutil.rmtree(packed)  # the files have their own hashes now

    def _hold_against_own_list(self, made: dict[str, str]) -> None:
        """A publisher who puts the list into the archive too must be right in both."""
        path = self.root / self.publisher.checksums
        if path.is_file():
            for name, sha256 in _checksums_of(path, path).items():
                if made.get(name) != sha256:
                    found = made.get(name, "none, for it is missing")
                    raise InputError(f"{path}: {name} must have the SHA-256 {sha256}; it has {found}")

    @contextmanager
    def _ways_on(self) -> Iterator[None]:
        try:
            yield
        except Unreachable as problem:
            raise InputError(
                f"{problem}. Three ways to go on: your own copy, with data_root=FOLDER that holds {self.config.release}/; "
                "a mirror, with mirror=URL, or a proxy, in HTTPS_PROXY; generated records, with suite=quick"
            ) from None
