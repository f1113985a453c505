"""`flowerexp cleanup [overrides]`: delete what your sweeps and runs have left in the cloud.

Yours is what belongs to a sweep or run whose folder is below your home, on whichever machine that was started, and
wherever the folder was then; and, where no such folder is here, what this user created on this machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowerexp.commands.clusters import leftovers, sweeps, table
from flowerexp.config.schema import Config
from flowerexp.errors import ClusterError, DataError

if TYPE_CHECKING:
    from flowerexp.cluster.leftovers import Leftovers, Resource

_AT_ONCE = 8


def main(arguments: Sequence[str]) -> int:
    """Delete; 1 if something of yours remains."""
    from flowerexp.app import composed

    parser = argparse.ArgumentParser(prog="flowerexp cleanup", description="Delete what is left in the cloud.")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be deleted")
    parser.add_argument("--everyone", action="store_true", help="also delete what other people or machines created")
    parser.add_argument("--bucket", action="store_true", help="also delete the bucket, with all data in it")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as gcp.project=... gcp.region=...")
    options = parser.parse_intermixed_args(list(arguments))
    config = composed(options.overrides)
    return _Cleanup(config, options.dry_run, options.everyone).run(options.bucket)


class _Cleanup:
    """One cleaning up.

    Args:
        config: it says where.
        dry_run: only say what would be deleted.
        everyone: not only what is ours.
    """

    def __init__(self, config: Config, dry_run: bool, everyone: bool) -> None:
        self._config = config
        self._dry_run = dry_run
        self._everyone = everyone
        self._there: Leftovers = leftovers(config)
        self._bucket = f"gs://{config.gcp.bucket}"
        self._folders = sweeps(Path(config.home))

    def run(self, bucket: bool) -> int:
        """Delete clusters and batches first, then what was staged for them, then the bucket."""
        resources = self._there.resources()
        mine = [resource for resource in resources if self._to_go(resource)]
        if mine:
            print(table(mine, self._config))
        good = True
        if not self._dry_run and mine:
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                good = all(list(threads.map(self._delete, mine)))
        kept = self._kept(resources, mine)
        for resource in kept:
            print(f"kept: {resource.kind} {resource.name} ({resource.state}): {self._why(resource)}")
        good = good and not [resource for resource in kept if self._own(resource)]
        busy = {resource.scope for resource in kept} | _running(Path(self._config.home))
        return 0 if self._unstage(busy, bucket) and good else 1

    def _kept(self, before: Sequence[Resource], mine: Sequence[Resource]) -> list[Resource]:
        """What is still there, or would be."""
        after = before if self._dry_run else self._there.resources()
        names = {resource.name for resource in mine} if self._dry_run else set()
        return [resource for resource in after if resource.name not in names]

    def _own(self, resource: Resource) -> bool:
        from flowerexp.cluster.google.names import owner

        return self._everyone or resource.scope in self._folders or resource.owner == owner()

    def _to_go(self, resource: Resource) -> bool:
        return self._own(resource) and resource.scope not in _running(Path(self._config.home))

    def _why(self, resource: Resource) -> str:
        if not self._own(resource):
            home = self._config.home
            nowhere = f"created by {resource.owner or 'somebody else'}, and the folder of its sweep is not below {home}"
            return f"{nowhere}; name the home that it is in (home=FOLDER), or delete it all the same with --everyone"
        return "its sweep runs: stop that first" if not self._to_go(resource) else "it could not be deleted"

    def _delete(self, resource: Resource) -> bool:
        try:
            self._there.delete(resource, _Unobserved())
        except ClusterError as error:
            print(f"flowerexp: {error}", file=sys.stderr)
            return False
        print(f"deleted: {resource.kind} {resource.name}")
        return True

    def _unstage(self, busy: set[str], bucket: bool) -> bool:
        """Empty the staging folders of all but the busy sweeps, or take the bucket away."""
        if bucket:
            return self._empty(busy)
        scopes = [scope for scope in self._there.scopes() if scope not in busy]
        for scope in scopes:
            done = "would be deleted" if self._dry_run else f"{self._there.unstage(scope)} objects deleted"
            print(f"staged for {scope} in {self._bucket}: {done}")
        return True

    def _empty(self, busy: set[str]) -> bool:
        if busy:
            print(f"kept: {self._bucket}: it is used by {', '.join(sorted(busy))}")
            return False
        if self._dry_run:
            print(
                f"{self._bucket}: would be deleted with all that is in it, or only its folder flowerexp/ if it is yours"
            )
            return True
        count, gone = self._there.empty()
        what = "and the bucket itself" if gone else "of the folder flowerexp/; the bucket is not flowerexp's"
        print(f"{self._bucket}: {count} objects deleted, {what}")
        return True


class _Unobserved:
    """An observer that records nothing: the command prints what it deletes."""

    stopping = False

    def notify(self, state: str, handle: Mapping[str, Any], message: str = "") -> None:
        """See `ClusterObserver.notify`."""


def _running(home: Path) -> set[str]:
    """The scopes of the sweeps that are at work on this machine."""
    from flowerexp.journal import LOCK
    from flowerexp.journal.journal import Journal

    found = set()
    for scope, folder in sweeps(home).items():
        if not (folder / LOCK).exists():
            continue
        try:
            with Journal(folder).held():
                pass
        except DataError:
            found.add(scope)
    return found
