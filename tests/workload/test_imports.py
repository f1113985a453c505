"""What runs on the cluster needs nothing of what only the launching machine has."""

import json
import subprocess
import sys

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
    assert {"flowerexp.workload.read_speed", "flowerexp.workload.write_tfrecords", "flowerexp.workload.runner"} <= {
        *names
    }
    assert blocked
    assert heavy == []  # a worker that does not measure tf.data pays for no TensorFlow
