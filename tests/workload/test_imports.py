"""What runs on the cluster needs nothing that only the launching machine has, and its modules import in no circle."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import flowerexp

BLOCKED = ("hydra", "omegaconf", "mlflow", "sklearn", "pandas", "matplotlib", "rich", "filelock")
PROGRAM = f"""
import importlib, json, pkgutil, sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
import flowerexp.storage, flowerexp.workload
names = [module.name for module in pkgutil.walk_packages(flowerexp.workload.__path__, "flowerexp.workload.")]
for name in names:
    importlib.import_module(name)
try:
    import hydra
except ImportError:
    blocked = True
print(json.dumps([names, blocked, [name for name in ("tensorflow",) if name in sys.modules]]))
"""


def test_all_of_it_imports_without_what_the_launcher_needs():
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    names, blocked, heavy = json.loads(answer.stdout)
    folders = ("engine.runner", "images.preparing", "read_speed.measuring", "write_shards.writing")
    assert {f"flowerexp.workload.{name}" for name in folders} <= {*names}
    assert blocked
    assert heavy == []  # a worker that does not measure tf.data pays for no TensorFlow


LIGHT = """
import sys
import flowerexp.workload, flowerexp.workload.read_speed.readers, flowerexp.workload.images.listing
print(*[name for name in ("pyspark", "psutil", "numpy", "cv2", "argparse") if name in sys.modules])
"""


def test_what_the_launcher_imports_of_it_brings_nothing_heavy():
    answer = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


CONVERTING = """
import json, sys
import pyspark.sql.types  # registers the converters
from py4j.protocol import INPUT_CONVERTER
from flowerexp.workload.engine.session import _lighten_converters

def converted(value):
    names = [type(one).__name__ for one in INPUT_CONVERTER if one.can_convert(value)]
    return [name for name in names if name.startswith("Numpy")]

_lighten_converters()
converted("text")
heavy = [name for name in ("numpy", "pandas", "unittest", "pyspark.testing") if name in sys.modules]
import numpy as np
print(json.dumps([heavy, *map(converted, (np.float64(1), np.zeros(2), np.zeros((2, 2)), 1.0))]))
"""


def test_a_call_into_java_imports_nothing_and_arrays_are_converted_as_ever():
    answer = subprocess.run([sys.executable, "-c", CONVERTING], capture_output=True, text=True, check=True)
    heavy, scalar, array, matrix, number = json.loads(answer.stdout)
    assert heavy == []
    assert (scalar, array) == (["NumpyScalarConverter"], ["NumpyArrayConverter"])
    assert (matrix, number) == ([], [])


def imports(package: Path) -> dict[str, set[str]]:
    """What each module of a package imports of it, also inside of functions."""
    paths = sorted(package.rglob("*.py"))
    names = {path: ".".join(path.relative_to(package.parent.parent).with_suffix("").parts) for path in paths}
    modules = {name.removesuffix(".__init__") for name in names.values()}
    graph = {}
    for path, name in names.items():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
                wanted |= inner or {node.module}
        module = name.removesuffix(".__init__")
        graph[module] = (wanted & modules) - {module}
    return graph


@pytest.mark.parametrize("package", ["workload", "storage"])
def test_no_module_imports_itself_by_way_of_others(package):
    graph = imports(Path(flowerexp.__file__).parent / package)
    assert len(graph) > 3
    assert any(graph.values())
    tuple(TopologicalSorter(graph).static_order())  # raises a CycleError that names the circle
