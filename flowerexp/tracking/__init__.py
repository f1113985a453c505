"""Log runs and sweeps to MLflow, read them back, and show its pages; importing this does not import MLflow.

Everything that knows MLflow belongs here: `content` is what is logged of a run, `log` and `sweep` log it, `fetch` reads
it, and `store`, `reachable`, `library`, `client`, `transaction` and `failures` are about the store.
"""

from flowerexp.tracking.client import ensure
from flowerexp.tracking.library import load
from flowerexp.tracking.log import add_metrics, add_tags, log_run, withdraw
from flowerexp.tracking.model import load_libraries as load_model_libraries
from flowerexp.tracking.reachable import check_reachable
from flowerexp.tracking.store import Store, default_store
from flowerexp.tracking.sweep import log_sweep, page_of
from flowerexp.tracking.ui import serve

__all__ = [
    "Store",
    "add_metrics",
    "add_tags",
    "check_reachable",
    "default_store",
    "ensure",
    "load",
    "load_model_libraries",
    "log_run",
    "log_sweep",
    "page_of",
    "serve",
    "withdraw",
]
