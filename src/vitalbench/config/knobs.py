"""What a user turns from run to run: configs/config.yaml, and `snakemake --config` above it."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.checkpointing import Checkpointing
from vitalbench.config.publisher import plain_address, plain_url
from vitalbench.config.values import Name, each_once, of_a_user
from vitalbench.config.watching import Watching

# `snakemake --config` hands on YAML's true, false and null as text, and whatever stands in a list.
Switch = Annotated[bool, BeforeValidator(lambda value: {"true": True, "false": False}.get(str(value), value))]


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


Seed = Annotated[int, Field(ge=0), BeforeValidator(_number)]


class Knobs(Checkpointing, Watching):
    """configs/config.yaml and `snakemake --config`: what a user turns from run to run."""

    suite: Name = "quick"
    targets: Annotated[list[Name], Field(min_length=1)] | None = None
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(each_once)] | None = None
    data_root: Annotated[str | None, AfterValidator(lambda path: path and of_a_user(path))] = None
    download: Switch = False
    mirror: str | None = None
    streams: Annotated[int, Field(ge=1, le=32)] = 8
    scheduled: Switch = False
    publish_to: str | None = None
    pull_from: str | None = None
    price_file: str | None = None

    _said_in: dict[str, str] = PrivateAttr(default_factory=dict)

    def said_in(self, key: str) -> str:
        """Where a knob was turned, for messages: `--config seeds`, or `configs/config.yaml: seeds`."""
        return self._said_in.get(key, key)

    def from_places(self, said_in: dict[str, str]) -> Self:
        """The same knobs, knowing where each was turned."""
        self._said_in.update(said_in)
        return self

    @model_validator(mode="before")
    @classmethod
    def _as_written_on_a_command_line(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        read = {key: None if value == "null" else value for key, value in data.items()}
        return read | {key: _listed(read[key]) for key in ("targets", "seeds", "trackers") if key in read}

    @model_validator(mode="after")
    def _plain_addresses(self) -> Self:
        if self.mirror is not None:
            plain_url("mirror", self.mirror, ("https", "http"))
        for key in ("publish_to", "pull_from"):
            if (url := getattr(self, key)) is not None:
                plain_address(key, url)
        if self.publish_to and self.pull_from:
            raise PydanticCustomError("one", "publish_to and pull_from are both given: one run does one of the two")
        return self
