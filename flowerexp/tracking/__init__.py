"""What is logged, and how MLflow is told; importing this imports no MLflow."""

from flowerexp.tracking.log import log_run, withdraw
from flowerexp.tracking.store import Store, check_reachable, default_store, ensure
from flowerexp.tracking.sweep import log_sweep
from flowerexp.tracking.ui import serve

__all__ = ["Store", "check_reachable", "default_store", "ensure", "log_run", "log_sweep", "serve", "withdraw"]
