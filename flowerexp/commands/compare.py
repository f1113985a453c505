"""`flowerexp compare RUN RUN ...`: is one run faster than another? `flowerexp compare SWEEP`: which setting is best?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from flowerexp.errors import ConfigError
from flowerexp.escape import printable


def main(arguments: Sequence[str]) -> int:
    """Compare runs with the first one, or rank the settings of a sweep."""
    from flowerexp.comparing.ranked import ranked
    from flowerexp.comparing.sides import compared
    from flowerexp.comparing.text import side_by_side
    from flowerexp.lookup.names import find, folder_of
    from flowerexp.lookup.place import Place, split

    parser = argparse.ArgumentParser(
        prog="flowerexp compare",
        description="Compare runs with the first one, or rank the settings of a sweep. Runs that repeat each other are "
        "taken together.",
        epilog="home=... or tracking.uri=... says where to look.",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folders or parts of their names, SWEEP/RUN, MLflow run_ids or names, last; a sweep ranks its settings",
    )
    parser.add_argument("--details", action="store_true", help="for a sweep: also list each run")
    options = parser.parse_args(arguments)
    names, overrides = split(options.runs)
    place = Place(overrides)
    if len(names) == 1 and (one := find(names[0], place)).kind == "sweep":
        print(printable(ranked(folder_of(one, place), options.details)))
        return 0
    if len(names) < 2:
        problem = f"a comparison needs two runs or a sweep, and {'a single run' if names else 'nothing'} is given"
        raise ConfigError(problem, where="command line", hint="usage: flowerexp compare RUN RUN [RUN ...], or SWEEP")
    print(printable(side_by_side(compared([find(name, place, "run").run for name in names]))))
    return 0
