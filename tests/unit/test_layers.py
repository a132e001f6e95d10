"""The house: data flows down, one clock, and no torch where it is not needed."""

import ast
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
    "evaluate",
    "measure",
    "cost",
    "claims",
    "report",
    "commands",
]
FLOOR = {"errors", "files", "chain", "progress", "layout", "tables", "provenance", "results"}
FLOOR_MODULES = {"measure.clock", "measure.device", "measure.phases", "measure.memory", "measure.load"}
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
        assert ours <= {"vitalbench.measure.device"}, name


def test_only_the_clock_reads_a_clock():
    readers = [name for name, tree in modules().items() if imports(tree) & CLOCKS and name != "measure.clock"]
    assert readers == []


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
