"""The modules of a user's own that a script imports: files and packages beside it, which are shipped with it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from flowerexp.errors import ConfigError

_OURS = ("flowerexp", "pyspark")


def modules_beside(script: Path) -> list[Path]:
    """The Python files of all modules beside a script that it imports, or that these import in turn; sorted.

    Of a package, all its Python files count. A module of the standard library's name is never one of them: in a job it
    would take the place of that for Spark, too.
    """
    found: dict[Path, None] = {}
    todo = [script]
    while todo:
        for name in _imported(_parsed(todo.pop())):
            new = [path for path in _files(script.parent, name) if path not in found and path != script]
            found |= dict.fromkeys(new)
            todo += new
    return sorted(found)


def refuse_missing(script: Path) -> None:
    """Refuse a script that cannot run on this machine: each module that it imports at its top has to be somewhere.

    An import in a function or in a `try` may be meant to fail, and is left alone.

    Raises:
        ConfigError: a module is neither beside the script nor installed, or the script is not Python.
    """
    for path in (script, *modules_beside(script)):
        for node in _parsed(path).body:
            for name in _names(node):
                if not _files(script.parent, name) and not is_installed(name):
                    where = f"line {node.lineno} of {path}"
                    hint = f"put {name}.py beside it, or run: pip install {name}"
                    problem = f"{path.name} imports {name}, which is neither beside {script.name} nor installed"
                    raise ConfigError(problem, where=where, hint=hint)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = f"line {error.lineno} of {path}" if isinstance(error, SyntaxError) else str(path)
        raise ConfigError(f"{path.name} is not Python: {getattr(error, 'msg', error)}", where=line) from error


def _imported(tree: ast.AST) -> Iterator[str]:
    """The first parts of the names of all modules that are imported anywhere in a file."""
    for node in ast.walk(tree):
        yield from _names(node)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:  # a relative one is within its package
        return [node.module.partition(".")[0]]
    return []


def _files(folder: Path, name: str) -> Sequence[Path]:
    """The Python files of a module in a folder; nothing where it is not there."""
    if name in sys.stdlib_module_names or name in _OURS:
        return []
    if (folder / name).is_dir():
        return [path for path in (folder / name).rglob("*.py") if path.is_file()]
    return [path for path in [folder / f"{name}.py"] if path.is_file()]


def is_installed(name: str) -> bool:
    """Is a module on the path that a job has? `python -m flowerexp` adds the current folder, which a job does not."""
    own = sys.path[1:] if sys.path[0] in ("", str(Path.cwd())) else sys.path
    found = (finder.find_spec(name, own if finder is PathFinder else None) for finder in sys.meta_path)
    return name in sys.stdlib_module_names or any(found)
