"""A result's code is what its stage imports: comments and docstrings aside, any change of it counts."""

import shutil
from pathlib import Path

import pytest

import vitalbench
from vitalbench.config import code


@pytest.fixture
def source(tmp_path, monkeypatch):
    root = tmp_path / "vitalbench"
    shutil.copytree(Path(vitalbench.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "_ROOT", root)
    return root


def digest(source: Path, entry: str) -> str:
    code._parsed.cache_clear()
    return code.code_digest(entry)


def test_comments_and_docstrings_do_not_count(source):
    before = digest(source, "vitalbench.split.assign")
    path = source / "split" / "assign.py"
    path.write_text(path.read_text().replace("Who is trained on", "Who shall be trained on") + "# a remark\n")
    assert digest(source, "vitalbench.split.assign") == before


def test_code_counts_also_where_it_is_imported_from(source):
    before = digest(source, "vitalbench.split.assign")
    path = source / "errors.py"
    path.write_text(path.read_text().replace("cutoff=0.5", "cutoff=0.6"))
    assert digest(source, "vitalbench.split.assign") != before


def test_other_stages_do_not_count(source):
    before = digest(source, "vitalbench.split.assign")
    path = source / "report" / "figures.py"
    path.write_text(path.read_text() + "EXTRA = 1\n")
    assert digest(source, "vitalbench.split.assign") == before


def test_a_loop_in_c_counts_where_its_module_does(source):
    before = {entry: digest(source, entry) for entry in ("vitalbench.evaluate.ranking", "vitalbench.split.assign")}
    path = source / "evaluate" / "rank_areas.c"
    path.write_text(path.read_text().replace("> 0 ?", ">= 0 ?"))
    after = {entry: digest(source, entry) for entry in before}
    assert after["vitalbench.evaluate.ranking"] != before["vitalbench.evaluate.ranking"]
    assert after["vitalbench.split.assign"] == before["vitalbench.split.assign"]
