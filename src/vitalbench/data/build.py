"""The data stage on a folder of its own: config.json in, release.json, parts and store out."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.strict import validated
from vitalbench.data.datasets import load, record_files, sound
from vitalbench.data.download import Site
from vitalbench.data.fetch import Remote
from vitalbench.data.index import read_part
from vitalbench.data.join import join
from vitalbench.data.release import acquire
from vitalbench.data.standardise import standardise
from vitalbench.data.versions import recover
from vitalbench.errors import ConfigError
from vitalbench.files import atomic_folder, only_one_in, read_json, write_json
from vitalbench.layout import DOWNLOAD_SLICE
from vitalbench.unfinished import at_work


@dataclass(frozen=True)
class DataFolder:
    """results/data/<data set>/<source>."""

    path: Path

    @cached_property
    def slice(self) -> dict[str, Any]:
        """The resolved configuration."""
        content: dict[str, Any] = read_json(self.path / "config.json")
        return content

    @property
    def config(self) -> DatasetBuild:
        """What the store depends on."""
        return validated(DatasetBuild, self.slice["config"], self.path / "config.json")

    @property
    def root(self) -> Path:
        """The release's folder."""
        return Path(self.slice["root"]) if self.slice["root"] else self.path / "release"

    def part(self, number: int) -> Path:
        """The file of a part."""
        return self.path / "parts" / f"part-{number:04d}.h5"

    @property
    def remote(self) -> Remote:
        """The release where it is downloaded from."""
        if self.slice["source"] != "download":
            raise ConfigError(f"{self.path / 'config.json'}: source is '{self.slice['source']}': nothing is downloaded")
        how = read_json(self.path / DOWNLOAD_SLICE)
        return Remote(self.path, self.config, Site(how["url"], how["streams"]))

    def acquire(self) -> None:
        """Make the release available, or of a download what lists its records; write release.json and index.parquet."""
        local = self.root if self.slice["root"] else None
        listed = self.remote.open() if self.slice["source"] == "download" else None
        acquire(self.slice["dataset"], self.config, self.slice["source"], local, self.path / "release.json", listed)

    def _rows(self, number: int) -> pd.DataFrame:
        if not 0 <= number < self.config.parts:
            raise ConfigError(f"part {number}: the data set has parts 0 to {self.config.parts - 1}")
        return read_part(self.path / "index.parquet", number)

    def fetch(self, number: int) -> None:
        """Download and verify the files of one part's records."""
        module = load(self.config.module)
        rows = sound(self._rows(number))
        files = [name for file in rows["file"].unique() for name in record_files(module, str(file), self.config)]
        self.remote.fetch(files, self.part(number).stem)

    def standardise(self, number: int) -> None:
        """Write one part, or keep it where nothing of it changed."""
        rows = self._rows(number)
        with at_work(self.part(number)):
            standardise(rows, self.config, self.slice["source"], self.root, self.part(number), self.slice["code"])

    def join(self) -> None:
        """Join all parts to the store."""
        parts = [self.part(number) for number in range(self.config.parts)]
        with only_one_in(self.path), at_work(self.path / "store.h5"):
            for name in ("store.h5", "records.parquet", "quality.csv", "manifest.json"):
                for left in self.path.glob(f".{name}.*.*"):  # of a process that was killed; nobody else is at work here
                    left.unlink()
            join(self.config, read_json(self.path / "release.json"), parts, self.path / "store.h5")

    def recover(self, version: str, out: Path) -> Path:
        """Build the store of an older version again, in a folder of its own, whole or not at all; returns it."""
        if out.is_file() or (out.is_dir() and any(out.iterdir())):
            raise ConfigError(f"{out}: is there already; an older build goes into a new folder")
        with atomic_folder(out) as temporary:
            manifest, parts = recover(self.path / "versions", version, temporary)
            config = validated(DatasetBuild, manifest["config"], self.path / "versions" / f"{version}.json")
            # What says that accesses are logged comes along; which code made the parts, no manifest says.
            made = {"source": manifest["release"]["source"], "config": manifest["config"], "code": ""}
            write_json(temporary / "config.json", self.slice | made)
            join(config, manifest["release"], parts, temporary / "store.h5")
        return out / "store.h5"
