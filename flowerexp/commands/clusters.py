"""`flowerexp clusters [overrides]`: your running clusters and batches in the cloud, and what they cost."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.config.schema import Config
from flowerexp.errors import ConfigError, FlowerexpError, require
from flowerexp.text_table import text_table

if TYPE_CHECKING:
    from flowerexp.cluster.leftovers import Leftovers, Resource


_LOOK_SECONDS = 10.0


def main(arguments: Sequence[str]) -> int:
    """List them."""
    from flowerexp.app import composed

    parser = argparse.ArgumentParser(prog="flowerexp clusters", description="List your running clusters and batches.")
    parser.add_argument("--watch", action="store_true", help="list them again every ten seconds, until nothing is left")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as gcp.project=... gcp.region=...")
    options = parser.parse_args(arguments)
    config = composed(options.overrides)
    left = leftovers(config)
    while resources := left.resources():
        print(table(resources, config), flush=True)
        if not options.watch:
            return 0
        time.sleep(_LOOK_SECONDS)
        print(f"\n{datetime.datetime.now():%H:%M:%S}")
    print(f"nothing of flowerexp runs in {config.gcp.project} {config.gcp.region}")
    return 0


def leftovers(config: Config) -> Leftovers:
    """What flowerexp has left in the project and region of a config.

    Raises:
        ConfigError: it names none.
    """
    gcp = config.gcp
    project, region = _named("project", gcp.project, "ID"), _named("region", gcp.region, "us-central1")
    bucket = _named("bucket", gcp.bucket, "NAME")
    require("this command", ("google.cloud.dataproc_v1", "google.cloud.storage"))
    from flowerexp.cluster.google.clients import Clients
    from flowerexp.cluster.leftovers import Leftovers

    return Leftovers(Clients(project, region), bucket)


def _named(key: str, value: str | None, example: str) -> str:
    if value is None:
        raise ConfigError(f"gcp.{key} has no value", where="command line", hint=f"name it: gcp.{key}={example}")
    return value


def table(resources: Iterable[Resource], config: Config) -> str:
    """The resources as lines of text, with a head."""
    folders = sweeps(Path(config.home))
    rows = [["name", "kind", "state", "sweep or run", "owner", "age", "$/hour", "folder"]]
    for resource in resources:
        age = str(datetime.timedelta(seconds=int(time.time() - resource.created_at)))
        folder = str(folders.get(resource.scope, "not here"))
        known = [resource.name, resource.kind, resource.state, resource.scope, resource.owner]
        rows.append([*known, age, _price(resource, config), folder])
    return text_table(rows)


def _price(resource: Resource, config: Config) -> str:
    """Dollars an hour; of a stopped cluster those of its disks; nothing where no price is known, or can be had."""
    from flowerexp.cluster.cost import Prices

    try:
        rate = resource.machines.rate(Prices.of(config.budget, config.gcp))
    except FlowerexpError:
        return ""
    return f"{rate.disks if resource.state == 'STOPPED' else rate.total:.2f}"


def sweeps(home: Path) -> dict[str, Path]:
    """The folders of sweeps and runs below a home, by the scope that their journal holds."""
    from flowerexp.journal.journal import Journal

    known = ((Journal(folder).known_scope(), folder) for folder in home.glob("outputs/*/*") if folder.is_dir())
    return {scope: folder for scope, folder in known if scope}
