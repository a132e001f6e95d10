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
FLOOR_MODULES = {
    "measure.clock",
    "measure.device",
    "measure.phases",
    "measure.memory",
    "measure.load",
    "measure.noise",
    "measure.placement",
}


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
CLOCKS = {
    f"{name}{unit}"
    for name in ("perf_counter", "monotonic", "thread_time", "process_time", "time", "clock_gettime")
    for unit in ("", "_ns")
}
READS = {
    *("elapsed", "elapsed_time", "default_timer", "ru_utime", "ru_stime"),
    *("gettimeofday", "mach_absolute_time", "QueryPerformanceCounter"),
    *CLOCKS,
} - {"time"}
MODULES = {"time", "datetime", "timeit", "cProfile", "profile", "_lsprof"}
READERS = re.compile(
    r"torch\.(\w+\.)*\w*[Ee]vent(Base)?(\.|$)|torch\.utils\.benchmark|torch\.(autograd\.)?profiler|os\.times$"
    r"|(time|datetime|timeit|cProfile|_lsprof)(\.|$)|profile(\.(run|runctx|Profile))?$|(.*\.)?do_bench\w*$"
    r"|(.*\.)?(Timestamp|Period|datetime64|datetime)\.(now|today|utcnow)$"
)
TODAY = re.compile(r"(.*\.)?(Timestamp|Period|datetime64|to_datetime)$")
FILES = ("/proc/uptime", "/proc/timer_list")
FILE_TIMES = re.compile(r"st_[mac]time(_ns)?|get[mac]time")
# How long processors worked is no clock; a comment has to say so where it is asked.
PROCESSOR = {"thread_time", "thread_time_ns", "process_time", "process_time_ns", "times", "ru_utime", "ru_stime"}
SAYS_PROCESSOR = re.compile(r"# processor time: ")
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


def of_import(text: ast.AST) -> list[str]:
    """What an import by a text may be of: what it says, or anything at all ("time") unless it begins with a package of its own."""
    if isinstance(text, ast.Constant):
        return [str(text.value)]
    start = text.values[0] if isinstance(text, ast.JoinedStr) else None
    own = isinstance(start, ast.Constant) or (
        isinstance(start, ast.FormattedValue) and dotted(start.value, {}) == "__name__"
    )
    return [] if own else ["time"]


def reached(call: ast.Call, known: dict[str, str]) -> list[str]:
    """What a call names by a text: a module, an attribute, the time of day, a program; and methods that are clocks."""
    name, texts = dotted(call.func, known), [a.value for a in call.args if isinstance(a, ast.Constant)]
    last = name.rsplit(".", 1)[-1]
    if last in ("__import__", "import_module"):
        return of_import(call.args[0]) if call.args else ["time"]
    if name == "getattr":
        return [f".{text}" for text in texts]
    if TODAY.fullmatch(name) and {"now", "today"} & set(map(str, texts)):
        return ["datetime64.now"]
    if name.startswith("subprocess.") and call.args:
        words = call.args[0].elts[:1] if isinstance(call.args[0], ast.List | ast.Tuple) else call.args[:1]
        if [word.value for word in words if isinstance(word, ast.Constant) and str(word.value).split()[0] == "date"]:
            return ["time.date"]
    of_a_loop = last == "time" and not call.args and not call.keywords
    of_c = last == "clock" and any(full.startswith("ctypes") for full in known.values())
    return [f"time.{last}"] if "." in name and (of_a_loop or of_c) else []


def of_a_module(node: ast.AST, known: dict[str, str]) -> list[str]:
    """A clock's module that is reached through another: `logging.time`, or `anything.time.perf_counter`."""
    name, root = dotted(node, known), node
    while isinstance(root, ast.Attribute):
        root = root.value
    parts = name.split(".")
    through = isinstance(root, ast.Name) and root.id in known and MODULES & set(parts[1:])
    return ["time.reached"] if through or (parts[-2:-1] == ["time"] and parts[-1] in CLOCKS) else []


def names_of(node: ast.AST, known: dict[str, str], called: set[ast.AST]) -> list[str]:
    """All that a part of a text may read a clock by."""
    names = list(imported(node).values())
    if isinstance(node, ast.Attribute):
        names += [dotted(node, known), *of_a_module(node, known)]
    elif isinstance(node, ast.Call):
        names += reached(node, known)
    elif isinstance(node, ast.Subscript) and dotted(node.value, known) == "sys.modules":
        names += of_import(node.slice)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and any(file in node.value for file in FILES):
        names.append("time.file")
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        within = [dotted(part, known).rsplit(".", 1)[-1] for part in ast.walk(node)]
        names += ["time.of_files"] if any(FILE_TIMES.fullmatch(name) for name in within) else []
    if isinstance(node, ast.Attribute | ast.Name) and node not in called:  # kept to be called by another name
        names += ["time"] if dotted(node, known).rsplit(".", 1)[-1] in ("__import__", "import_module") else []
    return names


def clocks_read(source: str) -> list[str]:
    """What a file's text reads a clock by, line by line; not what is only known when it runs (`exec`, computed names)."""
    tree, lines, found = ast.parse(source), source.splitlines(), []
    known = {name: full for node in ast.walk(tree) for name, full in imported(node).items()}
    clock = ast.parse((SOURCE / "measure/clock.py").read_text())
    offered = {node.name for node in clock.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    called: set[ast.AST] = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        for name in names_of(node, known, called):
            inside = name.startswith(f"{CLOCK_MODULE}.") and name.split(".")[3] not in offered
            last = name.rsplit(".", 1)[-1]
            if not (inside or READERS.match(name) or ("." in name and last in READS)):
                continue
            if last not in PROCESSOR or not SAYS_PROCESSOR.search(lines[node.lineno - 1]):
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
        "import os\nspent = os.times()  # processor time: it is not\nspent.elapsed",
        "from time import thread_time, perf_counter  # processor time: the second is not",
        "import logging\nlogging.time.time()",
        "import torch\ntorch.utils.data.time",
        "import psutil\npsutil.time.time()",
        "from vitalbench.measure.bench import clock\nclock.time",
        "def f(module):\n    return module.time.perf_counter()",
        "import asyncio\nasyncio.get_event_loop().time()",
        "async def f(loop):\n    return loop.time()",
        "import pandas as pd\npd.Timestamp('now')",
        "import pandas as pd\npd.to_datetime('now')",
        "from datetime import datetime",
        "import importlib\ni = importlib.import_module\ni('time')",
        "import importlib as il\nil.__import__('time')",
        "from importlib import import_module\nimport_module(f'{a}')",
        "import builtins\nbuiltins.__import__('ti' + 'me')",
        "import sys\nvars(sys.modules['time'])['perf_counter']",
        "import torch\ntorch.cuda.streams.Event",
        "import torch\ntorch._C._CudaEventBase",
        "import triton\ntriton.testing.do_bench(f)",
        "from torch._inductor.utils import do_bench_using_profiling",
        "import cProfile",
        "import ctypes\nctypes.CDLL(None).clock()",
        "import ctypes\nctypes.CDLL(None).gettimeofday",
        "import subprocess\nsubprocess.run(['date', '+%s'])",
        "import subprocess\nsubprocess.check_output('date +%s', shell=True)",
        "open('/proc/uptime').read()",
        "import os\nos.clock_gettime_ns(0)",
        "a.stat().st_mtime_ns - b.stat().st_mtime_ns",
        "import os\n(os.path.getmtime(a) - start) / 60",
    ],
)
def test_no_way_round_the_clock_is_missed(source):
    assert clocks_read(source)


def test_the_clock_itself_and_processor_time_that_says_so_are_no_way_round_it():
    own = "from vitalbench.measure.clock import Stopwatch, utc_now\nfrom vitalbench.measure import clock\nclock.Stopwatch().lap()"
    assert clocks_read(own) == []
    assert (
        clocks_read("self.time = row.time\nfound.time(3)\nprofile.name\na.stat().st_mtime_ns < b.stat().st_mtime_ns")
        == []
    )
    assert clocks_read("importlib.import_module(f'{__name__}.{a}')\nimport_module('vitalbench')") == []
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
