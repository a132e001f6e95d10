"""The house: data flows down, one clock, and no torch where it is not needed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


# Names that read a clock whatever they are an attribute of, and libraries that do it for others.
READS = {
    "elapsed_time",
    *(
        f"{name}{unit}"
        for name in ("perf_counter", "monotonic", "thread_time", "process_time", "time")
        for unit in ("", "_ns")
    ),
    *("clock_gettime", "default_timer", "ru_utime", "ru_stime"),
} - {"time"}
READERS = re.compile(
    r"torch\.(\w+\.)?[Ee]vent|torch\.utils\.benchmark|torch\.(autograd\.)?profiler|(time|datetime|timeit)(\.|$)|os\.times$"
    r"|(.*\.)?(Timestamp|Period|datetime64)\.(now|today|utcnow)$"
)
# How long processors worked is no clock; a comment has to say so where it is asked.
PROCESSOR = re.compile(r"\b(thread_time|process_time|times|ru_utime)\b.*# processor time: ")
CLOCK_MODULE = "vitalbench.measure.clock"


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    """The full name of what a name or an attribute stands for, by what is imported."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, known)}.{node.attr}"
    return known.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def imported(node: ast.AST) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


def reached(call: ast.Call, known: dict[str, str]) -> list[str]:
    """What a call names by a text: a module, an attribute, the time of day."""
    name, texts = dotted(call.func, known), [a.value for a in call.args if isinstance(a, ast.Constant)]
    if name == "__import__" or name.endswith("import_module"):
        bound = texts or any(isinstance(arg, ast.JoinedStr) for arg in call.args)  # f"{__name__}.{...}": of our own
        return [str(text) for text in texts] if bound else ["time"]
    if name == "getattr":
        return [f".{text}" for text in texts]
    return ["datetime64.now"] if name.endswith("datetime64") and {"now", "today"} & set(map(str, texts)) else []


def clocks_read(source: str) -> list[str]:
    """What a file's text reads a clock by, line by line."""
    tree, lines, found = ast.parse(source), source.splitlines(), []
    known = {name: full for node in ast.walk(tree) for name, full in imported(node).items()}
    clock = ast.parse((SOURCE / "measure/clock.py").read_text())
    offered = {node.name for node in clock.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        names = list(imported(node).values())
        if isinstance(node, ast.Attribute):
            names.append(dotted(node, known))
        elif isinstance(node, ast.Call):
            names += reached(node, known)
        for name in names:
            inside = name.startswith(f"{CLOCK_MODULE}.") and name.split(".")[3] not in offered
            if not (inside or READERS.match(name) or ("." in name and name.rsplit(".", 1)[1] in READS)):
                continue
            if not PROCESSOR.search(lines[node.lineno - 1]):
                found.append(f"{node.lineno}: {name}")
    return found


def test_only_the_clock_reads_a_clock():
    benchmarks = Path(__file__).parents[1] / "benchmarks"
    files = [path for path in SOURCE.rglob("*.py") if path != SOURCE / "measure/clock.py"]
    files += benchmarks.glob("*.py")
    read = {path.name: clocks for path in files if (clocks := clocks_read(path.read_text(encoding="utf-8")))}
    assert read == {}


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import time as t",
        "from time import perf_counter",
        "from torch.utils import benchmark",
        "from torch.cuda import Event",
        "import torch\ntorch.cuda.Event(enable_timing=True)",
        "import torch\ntorch.Event('cuda')",
        "from os import times",
        "import os\nos.times()",
        "__import__('time').perf_counter()",
        "import importlib\nimportlib.import_module('time')",
        "from importlib import import_module\nimport_module(name)",
        "import pandas\npandas.Timestamp.now()",
        "from pandas import Timestamp as T\nT.today()",
        "import numpy as np\nnp.datetime64('now')",
        "from vitalbench.measure.clock import time",
        "from vitalbench.measure import clock\nclock.time.time()",
        "import vitalbench.measure.clock as c\nc.datetime",
        "getattr(module, 'perf_counter')()",
        "import resource\nresource.getrusage(0).ru_utime",
        "from time import perf_counter  # processor time: it is not",
    ],
)
def test_no_way_round_the_clock_is_missed(source):
    assert clocks_read(source)


def test_the_clock_itself_and_processor_time_that_says_so_are_no_way_round_it():
    own = "from vitalbench.measure.clock import Stopwatch, utc_now\nfrom vitalbench.measure import clock\nclock.Stopwatch().lap()"
    assert clocks_read(own) == []
    assert clocks_read("from time import thread_time  # processor time: the busy machine lengthens it little") == []
    assert clocks_read("import os\nos.times()  # processor time: a share is asked") == []


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
