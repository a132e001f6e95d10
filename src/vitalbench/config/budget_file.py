"""configs/budgets/<document>.yaml: the lines of a document's cost and storage tables, and how each is derived anew."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict, validated
from vitalbench.config.values import Finite
from vitalbench.config.yaml_file import read_yaml
from vitalbench.errors import ConfigError, choices

Said = Annotated[str, Field(min_length=1)]


class Line(Strict):
    """One line of a document.

    Attributes:
        reported: what the document says; left out of a line that it does not have.
        terms: the document's own arithmetic.
        derived: by dated prices (`price['<key>']`, USD/h; `storage['<key>']`, USD a GB and month), by lines above (`line['<id>']`:
            what was derived of them, or what was reported where nothing was) and by numbers; left out where nothing is known.
        bound: what is reported is the most that the document allows, not what it expects.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    section: Said
    text: Said
    reported: Finite | None = None
    unit: Said
    terms: Said | None = None
    derived: Said | None = None
    bound: bool = False
    why: str = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.reported is None and self.derived is None:
            raise PydanticCustomError("line", "line '{id}' has neither 'reported' nor 'derived'", {"id": self.id})
        if self.derived is None and not self.why:
            raise PydanticCustomError("line", "line '{id}' is not derived: 'why' must say so", {"id": self.id})
        return self


class Budget(Strict):
    """The lines of one document, in its order."""

    source: Said
    lines: Annotated[list[Line], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [line.id for line in self.lines]
        twice = next((name for name in ids if ids.count(name) > 1), None)
        if twice:
            raise PydanticCustomError("line", "line '{id}' stands there twice", {"id": twice})
        return self


def read_budget(path: Path) -> Budget:
    """A budget's file; a ConfigError says what is wrong with it."""
    return validated(Budget, read_yaml(path), str(path))


def budget_path(configs: Path, name: str) -> Path:
    """The file of a budget by its name."""
    known = {path.stem: path for path in sorted((configs / "budgets").glob("*.yaml"))}
    if name not in known:
        raise ConfigError(f"no budget is named {name!r} in {configs / 'budgets'}; {choices(name, known)}")
    return known[name]
