"""What a search chose, as the training that waits for it reads it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.config.design import Design
from vitalbench.config.plan import SearchPlace
from vitalbench.config.search_space import with_parameters
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json
from vitalbench.results import Results


@dataclass(frozen=True)
class Chosen:
    """A finished search (search/choice.py writes it).

    Attributes:
        told: chosen.json as it stands.
        sha256: of that file.
        folder: of the search.
    """

    told: dict[str, Any]
    sha256: str
    folder: Path

    @property
    def hindrance(self) -> tuple[str, str] | None:
        """Why there is nothing to train with: the status of a cell that waited for it, and the reason."""
        status = str(self.told["status"])
        return None if status == "measured" else (status, f"its search chose nothing: {self.told['reason']}")

    @property
    def identity(self) -> dict[str, Any]:
        """What the result of a training depends on: what was chosen, and the hash of all that it was chosen from."""
        return {"sha256": self.sha256, "trial": self.told["trial"], "parameters": self.told["parameters"]}

    @property
    def evidence(self) -> dict[str, Any]:
        """For provenance.json: by what it was chosen, and which records every trial was kept to."""
        kept = ("metric", "direction", "value", "trials", "measured", "permitted")
        return self.identity | {name: self.told[name] for name in kept}

    def applied_to(self, design: Design, source: object) -> Design:
        """The design with the values that were chosen; as it is where none were."""
        return with_parameters(design, self.told["parameters"] or {}, source)


def read_chosen(results: Results, place: SearchPlace) -> Chosen:
    """Read a search's result.

    Raises:
        InputError: the search has not ended.
    """
    path = results.folder / layout.CHOSEN.format(**place.keys)
    if not path.is_file():
        raise InputError(f"{path}: no such file; the search has not ended: `snakemake --cores all` goes on with it")
    return Chosen(read_json(path), file_digest(path), path.parent)
