"""TensorFlow comes without Keras, and Keras without what it imports if it is there; all of it can be had later."""

import subprocess
import sys

import pytest

WHOLE = """
import sys
from flowerexp.workload.images.tensorflow import keras, tensorflow

def imported(*names):
    return [name for name in names if any(f"{module}.".startswith(f"{name}.") for module in sys.modules)]

tf = tensorflow()
assert not imported("keras", "sklearn", "matplotlib", "pandas"), imported("keras", "sklearn", "matplotlib", "pandas")
assert keras() is sys.modules["keras"]
assert not imported("sklearn", "matplotlib", "pandas", "IPython")
assert tf.keras.layers.Dense(3)(tf.zeros((1, 2))).shape == (1, 3)
from tensorflow.keras import layers
import sklearn, pandas, matplotlib
"""
THERE = """
import sys, pandas
from flowerexp.workload.images.tensorflow import keras

assert keras() and sys.modules["pandas"] is pandas
"""


@pytest.mark.slow
def test_only_what_is_asked_for_is_imported():
    for program in (WHOLE, THERE):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
