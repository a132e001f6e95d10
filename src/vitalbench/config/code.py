"""Which code a result rests on: a hash over the modules a stage imports, comments and docstrings aside, and their loops in C."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import vitalbench
from vitalbench.files import digest

_ROOT = Path(vitalbench.__file__).parent


def _file(module: str) -> Path | None:
    base = _ROOT.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


class _WithoutDocstrings(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                del body[0]
        return node


def _loops(tree: ast.AST, path: Path) -> list[Path]:
    """The files of C that a module names and that lie beside it."""
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    files = [path.with_name(name) for name in sorted(named) if name.endswith(".c") and Path(name).name == name]
    return [file for file in files if file.is_file()]


@cache
def _parsed(path: Path) -> tuple[str, frozenset[str]]:
    """The meaning of a module, and the vitalbench modules it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in imported if name.startswith("vitalbench.") and _file(name)}
    loops = [source.read_text(encoding="utf-8") for source in _loops(tree, path)]
    return "\n".join([ast.dump(_WithoutDocstrings().visit(tree)), *loops]), frozenset(ours)


def modules_behind(entries: Iterable[str]) -> dict[str, Path]:
    """Every vitalbench module that the entry modules import, directly or not, with its file."""
    found: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is None or module in found:
            continue
        found[module] = path
        waiting += _parsed(path)[1]
    return found


def code_digest(*entries: str) -> str:
    """Hash the code behind the entry modules; a change of comment, layout or docstring leaves it as it is."""
    return digest({module: _parsed(path)[0] for module, path in modules_behind(entries).items()})
