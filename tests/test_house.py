"""The house is in order: what import-linter and ruff do not see."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "flowerexp").rglob("*.py"))
MOST_PARAMETERS = 6
LONGEST = 300  # lines; 250 are the aim


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """The modules of ours that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from ([full] if full in known else [node.module] if node.module in known else [])
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The groups of modules that import each other, by Tarjan's algorithm."""
    found: list[set[str]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in graph[name]:
            if other not in number:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == number[name]:
            group = set(stack[stack.index(name) :])
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(group)

    for name in graph:
        if name not in number:
            visit(name)
    return found


def test_no_modules_import_each_other():
    names = {name_of(path) for path in MODULES}
    graph = {name_of(path): set(imports(tree_of(path), names)) - {name_of(path)} for path in MODULES}
    graph["flowerexp"] = set()  # what the package offers is found when it is used, and imported for types alone
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles(graph) == []


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_a_module_says_what_it_is_for_and_is_short(path):
    said = ast.get_docstring(tree_of(path)) or ""
    assert len(said.partition("\n\n")[0]) > 15, "the first sentence says what the module is for"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_a_signature_has_six_parameters_at_most():
    found = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
                if len(names) > MOST_PARAMETERS:
                    found.append(f"{short(path)}:{node.lineno} {node.name}")
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        (r"^\s*(from|import) hydra\._internal", "flowerexp/config/hydra_private.py"),
        (r"environ.*FLOWEREXP_HOME", "flowerexp/config/places.py"),
    ],
)
def test_is_in_one_module(pattern, place):
    places = [*MODULES, *(ROOT / "hydra_plugins").rglob("*.py"), *(ROOT / "spark_entry").glob("*.py")]
    assert {short(path) for path in places if re.search(pattern, path.read_text(), re.MULTILINE)} == {place}
