"""TensorFlow and Keras without what measuring does not need, which takes half of their import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_OF_KERAS = ("sklearn", "matplotlib", "pandas", "IPython")
"""What Keras imports if it is there: for its scikit-learn wrappers, pictures, data frames and notebooks."""


def tensorflow() -> Any:
    """The module TensorFlow.

    At its end it imports Keras, if there is one, for who saves models. That was 1.8 of 3.7 s of CPU (TensorFlow 2.21,
    Keras 3.15, with scikit-learn and Matplotlib there). Here, Keras is imported when it is asked for, `tf.keras` too.
    """
    with _hidden("keras.src"):
        import tensorflow
    return tensorflow


def keras() -> Any:
    """The module Keras, on TensorFlow, without its optional packages; these can be imported later."""
    tensorflow()
    with _hidden(*_OF_KERAS):
        import keras
    return keras


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let no import find these modules meanwhile, unless they are imported already."""
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))  # None is how Python notes what cannot be found
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
