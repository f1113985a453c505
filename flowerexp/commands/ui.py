"""`flowerexp ui`: open MLflow's pages on our store."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from flowerexp.tracking import serve


def main(arguments: Sequence[str]) -> int:
    """Serve the pages until Ctrl-C."""
    from flowerexp.app import composed
    from flowerexp.tracking import Store

    parser = argparse.ArgumentParser(prog="flowerexp ui", description="Serve MLflow's pages of the runs in our store.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as tracking.uri=... or home=...")
    options = parser.parse_args(arguments)
    store = Store.of(composed(options.overrides).tracking)
    return serve(store, host=options.host, port=options.port)
