"""The Python API: `run` and `sweep` start what the command line starts, `load` reads it again, `compare` compares.

Its objects hold what was measured as data frames, the same tables as the files in their folders. Whatever goes wrong is
a `FlowerexpError`. `import flowerexp` offers all of it, and imports this only when it is used.
"""

from flowerexp.api.comparison import Comparison, compare
from flowerexp.api.loading import load
from flowerexp.api.results import Run, Sweep
from flowerexp.api.running import run, sweep

__all__ = ["Comparison", "Run", "Sweep", "compare", "load", "run", "sweep"]
