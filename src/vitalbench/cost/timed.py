"""What measuring jobs left, as far as it may become a cost: phases that had the machine to themselves."""

from pathlib import Path

from vitalbench.files import read_json
from vitalbench.measure.phases import Phase
from vitalbench.results import Results


def _left(path: Path) -> list[Phase]:
    return [Phase(**phase) for phase in read_json(path)["phases"]] if path.is_file() else []


def timed_alone(path: Path) -> list[Phase]:
    """The phases of a measurement that a cost may rest on; none where there is no file, or others ran beside it."""
    return [phase for phase in _left(path) if phase.exclusive]


def timed_beside_others(results: Results) -> dict[Path, list[str]]:
    """The phases that become no cost since their job did not have the machine to itself, by measurement."""
    places = dict.fromkeys(results.measurement(run.cell) for run in results.measured)
    found = {path: [*dict.fromkeys(phase.name for phase in _left(path) if not phase.exclusive)] for path in places}
    return {path: names for path, names in found.items() if names}
