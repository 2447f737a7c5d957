"""Rules of this project that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "integration_hub"
MODULES = sorted(PACKAGE.rglob("*.py"))

every_module = pytest.mark.parametrize(
    "module", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)


def test_there_are_modules() -> None:
    assert len(MODULES) > 40


def test_the_source_root_is_no_package() -> None:
    # 'operator/__init__.py' would take the place of the standard library's module 'operator' wherever the
    # repository's root is on sys.path.
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_from_the_repositorys_root_the_standard_librarys_operator_is_still_found() -> None:
    code = "import operator, functools, collections; print(operator.add(1, 1))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


@every_module
def test_a_module_says_at_its_top_what_it_is_for(module: Path) -> None:
    words = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert words
    assert len(words.split()) >= 3


@every_module
def test_no_docstring_has_lost_its_spaces(module: Path) -> None:
    # A tool that reflowed docstrings once did this.
    tree = ast.parse(module.read_text(encoding="utf-8"))
    texts = [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and "\n" in n.value
    ]
    assert [word for text in texts for word in re.findall(r"[a-z,;.()]{45,}", text)] == []


@every_module
def test_nothing_prints_but_the_command_line(module: Path) -> None:
    if module.is_relative_to(PACKAGE / "cli"):
        return
    tree = ast.parse(module.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"] == []


def test_none_of_kopfs_default_names_is_used() -> None:
    # They would stand on users' objects, where another operator's kopf would take them for its own.
    files = [
        path
        for path in (ROOT / "operator").rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".sum"}
    ]
    found = [
        path for path in files if "kopf.zalando.org" in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert found == []


@every_module
def test_no_clock_stands_still_in_a_default(module: Path) -> None:
    # A default is evaluated once, at import.
    tree = ast.parse(module.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    defaults = [d for f in functions for d in (*f.args.defaults, *f.args.kw_defaults) if d is not None]
    assert [
        d.lineno
        for d in defaults
        if re.search(r"\b(now|time|monotonic)\(\)", ast.unparse(d)) and not isinstance(d, ast.Lambda)
    ] == []


@pytest.mark.parametrize("layer", ["model", "config", "auth", "credentials", "probe", "reconcile", "catalog"])
def test_the_pure_layers_read_no_clock_and_throw_no_dice(layer: str) -> None:
    # import-linter forbids modules; 'datetime' is allowed for arithmetic, its clock is not.
    for module in (PACKAGE / layer).rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        assert not re.search(r"\b(datetime\.(now|utcnow|today)|date\.today|uuid4|os\.environ)\b", text), (
            module
        )
