"""How often a run is saved, on which signal, what is kept and where a second copy goes: nothing that a result depends on."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict
from vitalbench.config.values import Positive, of_a_user


def _named(folder: str | None) -> str | None:
    if folder is not None and not folder.strip():
        raise PydanticCustomError("folder", "names no folder; leave it out, or null, for no second copy")
    # Here and nowhere later: a job in an image has another home.
    return folder and str(Path(of_a_user(folder)).expanduser())


class Checkpointing(Strict):
    """Knobs of checkpoints. They are saved after every epoch and every `checkpoint_minutes`; docs/METHODS.md has what they cost.

    Attributes:
        checkpoint_keep: what stays of a run that ended well.
        warning_signal: what a scheduler sends ahead of its limit, beside SIGTERM and SIGINT, which are always listened to.
        backup: a folder that every checkpoint is copied to; a home it begins with is that of who reads the configuration.
    """

    checkpoint_minutes: Positive = 10.0
    checkpoint_keep: Literal["best-and-last", "last", "none"] = "best-and-last"
    warning_signal: Literal["USR1", "USR2", "HUP", "XCPU"] = "USR1"
    backup: Annotated[str | None, AfterValidator(_named)] = None
