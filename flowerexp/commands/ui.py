"""`flowerexp ui [SWEEP]`: open MLflow's pages on our store, at a sweep."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from flowerexp.errors import ConfigError
from flowerexp.tracking import serve


def main(arguments: Sequence[str]) -> int:
    """Serve the pages until Ctrl-C."""
    from flowerexp.lookup.names import find
    from flowerexp.lookup.place import Place, split
    from flowerexp.tracking.landing import landing

    parser = argparse.ArgumentParser(
        prog="flowerexp ui",
        description="Show the store's runs in MLflow, and open a browser at the newest sweep. Ctrl-C ends it.",
        epilog="KEY=VALUE names the store, such as tracking.uri=... or home=...",
    )
    parser.add_argument("sweep", nargs="*", metavar="SWEEP", help="the sweep's folder, a part of its name, or last")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, help="by default 5000, or another one if that is taken")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    options = parser.parse_intermixed_args(arguments)
    sweeps, overrides = split(options.sweep)
    if len(sweeps) > 1:
        problem = f"ui shows one sweep, and {len(sweeps)} are named: {', '.join(sweeps)}"
        raise ConfigError(problem, where="command line", hint="name one; flowerexp ui without a name shows all of them")
    place = Place(overrides)
    page = landing(place.store, find(sweeps[0], place, "sweep").sweep_id if sweeps else None)
    return serve(place.store, options.host, options.port, page, not options.no_browser)
