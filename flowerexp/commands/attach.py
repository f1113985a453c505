"""`flowerexp attach SWEEP`: follow a sweep that was left to itself, and make what is missing of it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Follow it; 1 if runs failed or are missing in the end, 130 after Ctrl-C, which stops nothing but this command."""
    from flowerexp.cluster_search import walk_of
    from flowerexp.console import Screen
    from flowerexp.lookup.names import find
    from flowerexp.lookup.place import Place
    from flowerexp.program import program
    from flowerexp.sweep.resume import Consent, resume

    description = "Follow a sweep that was started with --detach. Ctrl-C leaves its jobs and clusters as they are."
    parser = argparse.ArgumentParser(prog="flowerexp attach", description=description)
    parser.add_argument(
        "sweep", metavar="SWEEP", help="a folder or a part of its name, an MLflow run_id or name, or last"
    )
    folder = find(parser.parse_args(arguments).sweep, Place(), "sweep").here
    screen = Screen()
    try:
        state = resume(folder, screen, Consent(leave=True), walk_of)
    except KeyboardInterrupt:
        screen.say(f"jobs that were submitted go on; follow them: {program()} attach {shlex.quote(str(folder))}")
        return 130
    return 0 if state.succeeded else 1
