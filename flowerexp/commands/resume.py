"""`flowerexp resume SWEEP`: run what is missing of a sweep that was stopped, killed, or lost its Spark job."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Resume; 1 if runs failed or are missing in the end."""
    from flowerexp.cluster_search import walk_of
    from flowerexp.console import Screen
    from flowerexp.lookup.names import find
    from flowerexp.lookup.place import Place
    from flowerexp.sweep.resume import Consent, resume

    parser = argparse.ArgumentParser(prog="flowerexp resume", description="Run what is missing in a sweep.")
    parser.add_argument(
        "sweep", metavar="SWEEP", help="a folder or a part of its name, an MLflow run_id or name, or last"
    )
    parser.add_argument("--changed-code", action="store_true", help="go on although flowerexp's code has changed since")
    parser.add_argument("--changed-data", action="store_true", help="go on although the data has changed since")
    parser.add_argument("--failed", action="store_true", help="also repeat runs that failed for a reason of their own")
    parser.add_argument("--budget", type=float, metavar="USD", help="a new limit for what the sweep may cost in all")
    options = parser.parse_args(arguments)
    consent = Consent(options.changed_code, options.changed_data, options.failed, options.budget)
    state = resume(find(options.sweep, Place(), "sweep").here, Screen(), consent, walk_of)
    return 0 if state.succeeded else 1
