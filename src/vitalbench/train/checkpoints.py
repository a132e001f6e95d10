"""The checkpoints of a run: sealed folders, newest last, in a folder of the run's id; a second copy of each where one is wanted.

The id is a hash of configuration, code and records, so another configuration's checkpoints are never looked at: they lie aside.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from vitalbench import layout
from vitalbench.errors import InputError
from vitalbench.files import atomic, write_json
from vitalbench.measure.clock import utc_now
from vitalbench.train.sealed import copy_sealed, damage, read_manifest, seal

ENDED = "ended.json"  # the run ended well: what is left is not gone on from
ATTEMPTS = "attempts"
FEATURES = "features"  # of a frozen encoder, beside the checkpoints: what comes before training
_NAME = re.compile(r"epoch-(\d+)-batch-(\d+)")
Keep = Literal["best-and-last", "last", "none"]


def name_of(epoch: int, batch: int) -> str:
    """A checkpoint's name: the epoch under way and the batches of it that are done; the names sort as the run goes.

    >>> name_of(3, 0)
    'epoch-00003-batch-0000000'
    """
    return f"epoch-{epoch:05d}-batch-{batch:07d}"


def position_of(name: str) -> tuple[int, int]:
    """The epoch and batch of a checkpoint's name.

    >>> position_of("epoch-00003-batch-0000012")
    (3, 12)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"{name}: not the name of a checkpoint")
    return int(found[1]), int(found[2])


def listed(folder: Path) -> list[Path]:
    """The checkpoints in a folder, sound or not, newest last."""
    return sorted(path for path in folder.glob("epoch-*") if _NAME.fullmatch(path.name))


def best_of(checkpoints: list[Path]) -> Path | None:
    """The one at the end of the epoch with the lowest validation loss; None where no loss is told."""
    losses = []
    for path in checkpoints:
        try:
            loss = read_manifest(path).get("val_loss")
        except InputError:
            continue  # damaged: it is told when a run goes on
        if loss is not None:
            losses.append((loss, path.name, path))
    return min(losses)[2] if losses else None


def _remove(folder: Path) -> None:
    """Remove a folder; under another name first, so that a process killed meanwhile leaves no half of it."""
    if folder.is_file():  # something else put it there; it is damaged like any other
        folder.unlink()
        return
    gone = folder.with_name(f".gone.{folder.name}")
    if gone.exists():
        shutil.rmtree(gone)
    folder.rename(gone)
    shutil.rmtree(gone)


def prune(folder: Path, newest: int, best: bool) -> None:
    """Keep the newest so many checkpoints, and the best; remove the rest."""
    there = listed(folder)
    kept = set(there[len(there) - newest :])
    if best and (found := best_of(there)):
        kept.add(found)
    for path in there:
        if path not in kept:
            _remove(path)


def under_way(run: Path, run_id: str) -> bool:
    """Whether an earlier process began this run in this folder, and did not end it well."""
    folder = run / layout.CHECKPOINTS / run_id
    begun = bool(listed(folder)) or (folder / ATTEMPTS).is_dir() or (folder / FEATURES).is_dir()
    return begun and not (folder / ENDED).is_file()


class Checkpoints:
    """One run's checkpoints.

    Args:
        run: the run's folder.
        backup: the folder that takes the run's place among the second copies; None for no second copy.

    Attributes:
        attempts: the folder of the starts of its training.
    """

    def __init__(self, run: Path, run_id: str, backup: Path | None, say: Callable[[str], None]) -> None:
        self.folder = run / layout.CHECKPOINTS / run_id
        self.backup = backup / layout.CHECKPOINTS / run_id if backup else None
        self.attempts = self.folder / ATTEMPTS
        self._say = say
        self._warned = False

    def last(self) -> Path | None:
        """The newest checkpoint, sound or not."""
        there = listed(self.folder)
        return there[-1] if there else None

    def left(self) -> str:
        """What a run that was ended goes on from, in a few words."""
        saved = self.last()
        if saved is None and any((self.folder / FEATURES).glob("part-*")):
            return "it goes on with the features that are there"
        return f"it goes on from {saved}" if saved else "nothing was saved yet, it begins anew"

    def open(self) -> None:
        """Clear away what nothing will go on from: a run that ended well, of whatever configuration, and half of a write."""
        runs = [path for path in self.folder.parent.glob("*") if path.is_dir()]
        for path in runs:
            if (path / ENDED).is_file():
                shutil.rmtree(path)
        for half in self.folder.glob(".*"):
            if half.is_dir():
                shutil.rmtree(half)
        aside = [path.name for path in runs if path.is_dir() and path != self.folder]
        if aside:
            self._say(f"checkpoints of another configuration stay aside: {', '.join(sorted(aside))}")
        saved = listed(self.backup) if self.backup and not (self.backup / ENDED).is_file() else []
        if saved and not listed(self.folder):
            self._say(
                f"nothing to go on from here; {saved[-1]} is a second copy: `vitalbench runs restore` brings it back"
            )

    def newest(self) -> Path | None:
        """The newest sound checkpoint; a damaged one is told and removed, and the one before it is looked at."""
        for path in reversed(listed(self.folder)):
            wrong = damage(path)
            if not wrong:
                return path
            self._say(f"checkpoint {path.name} is damaged ({wrong}): the one before is taken")
            _remove(path)
        return None

    def save(self, name: str, facts: dict[str, Any], write: Callable[[Path], None]) -> Path:
        """Seal a checkpoint, copy it to the backup, and keep the two newest and the best: the rest goes."""
        path = self.folder / name
        seal(path, {**facts, "written": utc_now()}, write)
        prune(self.folder, newest=2, best=True)
        self._copy(path)
        return path

    def _copy(self, path: Path) -> None:
        if self.backup is None:
            return
        try:
            copy_sealed(path, self.backup / path.name)
            for start in (self.folder / ATTEMPTS).glob("[0-9]*"):
                with atomic(self.backup / ATTEMPTS / start.name) as temporary:
                    shutil.copyfile(start, temporary)
            prune(self.backup, newest=2, best=True)
            self._warned = False
        except (OSError, InputError) as error:
            if not self._warned:
                self._say(f"warning: no second copy of {path.name}: {error}")
            self._warned = True  # once, until one succeeds

    def end(self, keep: Keep) -> None:
        """The run ended well: keep what is asked for, and mark it as nothing to go on from."""
        if (self.folder / FEATURES).is_dir():
            shutil.rmtree(self.folder / FEATURES)
        for folder in (self.folder, self.backup):
            if folder is None or not folder.is_dir():
                continue
            try:
                if keep == "none":
                    shutil.rmtree(folder)
                    continue
                write_json(folder / ENDED, {"written": utc_now()})
                prune(folder, newest=1, best=keep == "best-and-last")
            except OSError as error:
                if folder == self.folder:
                    raise
                self._say(f"warning: the second copies stay as they are: {error}")
