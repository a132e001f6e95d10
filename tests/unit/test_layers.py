"""The house: data flows down, one clock, and no torch where it is not needed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import vitalbench

SOURCE = Path(vitalbench.__file__).parent
# Top to bottom: a package may import those named before it, and the floor.
STAGES = [
    "config",
    "privacy",
    "data",
    "split",
    "models",
    "train",
    "watch",
    "evaluate",
    "search",
    "measure",
    "cost",
    "claims",
    "report",
    "gate",
    "containers",
    "doctor",
    "commands",
]
FLOOR = {
    "amounts",
    "columns",
    "errors",
    "files",
    "chain",
    "progress",
    "layout",
    "tables",
    "provenance",
    "cell_result",
    "projected",
    "results",
    "image",
    "unfinished",
}
FLOOR_MODULES = {"measure.clock", "measure.device", "measure.phases", "measure.memory", "measure.load", "measure.noise"}
CLOCKS = {"time", "datetime", "timeit"}


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
        for path in SOURCE.rglob("*.py")
    }


def imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_no_stage_imports_a_later_one():
    wrong = []
    for name, tree in modules().items():
        stage = name.split(".")[0]
        if stage not in STAGES:
            continue
        for other in imports(tree):
            inner = other.removeprefix("vitalbench.")
            package = inner.split(".")[0]
            if other == inner or package in FLOOR or inner in FLOOR_MODULES:
                continue
            if package in STAGES and STAGES.index(package) > STAGES.index(stage):
                wrong.append(f"{name} imports {inner}")
    assert not wrong


def test_the_floor_of_measurement_stands_on_nothing():
    trees = modules()
    for name in FLOOR_MODULES:
        ours = {other for other in imports(trees[name]) if other.startswith("vitalbench")}
        assert ours <= {f"vitalbench.{other}" for other in FLOOR_MODULES}, name


def test_only_the_clock_reads_a_clock():
    readers = [name for name, tree in modules().items() if imports(tree) & CLOCKS and name != "measure.clock"]
    assert readers == []


def test_no_other_file_reads_a_clock_by_a_library():
    """`os.times` tells how long processors worked, which is no clock: foreign load is a share of that."""
    other = re.compile(r"torch\.cuda\.Event|torch\.utils\.benchmark|datetime64\(.now|os\.times\(|elapsed_time\(")
    root = Path(vitalbench.__file__).parent
    found = [path for path in sorted(root.rglob("*.py")) if other.search(path.read_text(encoding="utf-8"))]
    assert [str(path.relative_to(root)) for path in found] == ["measure/load.py"]


def test_there_are_no_import_circles():
    graph = {name: {i.removeprefix("vitalbench.") for i in imports(tree)} for name, tree in modules().items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name in done:
            return
        for other in graph[name]:
            if other in graph:
                visit(other, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_light_stages_do_not_import_torch():
    light = [
        "config.workflow",
        "data.build",
        "split.audit",
        "split.neighbours",
        "evaluate.leak_price",
        "evaluate.run",
        "evaluate.compare",
        "report.tables",
        "report.page",
        "commands.watch",
        "watch.of_job",
    ]
    code = "; ".join(
        ["import sys", *(f"import vitalbench.{name}" for name in light), "sys.exit('torch' in sys.modules)"]
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_command_says_what_it_does():
    for path in (SOURCE / "commands").glob("*.py"):
        first = ast.get_docstring(ast.parse(path.read_text()))
        assert first
        assert len(first.splitlines()[0]) < 120
