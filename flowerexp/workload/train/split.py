"""Split photographs into those to train on and those to validate with; copies of a photograph are on the same side."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import report
from flowerexp.workload.images.fingerprint import lines_of, photographs_fingerprint
from flowerexp.workload.images.listing import Listing
from flowerexp.workload.images.photographs import Photographs
from flowerexp.workload.train.look import look_of, originals

_VERSION = 1  # of looks, in the names of the files that keep them


@dataclass(frozen=True)
class Split:
    """Two listings without a photograph in common."""

    training: Listing
    validation: Listing


def is_validation(relative: str, sampling: dict[str, Any], share: float) -> bool:
    """Whether a photograph is on the side of validation.

    A seeded hash of its name decides, like that of sampling, but one that does not depend on it: so the sides are the
    same at every run, and a sample's split is the part of the whole split that is in the sample.
    """
    name = f"{sampling['seed']}:validation:{relative}".encode(errors="surrogateescape")  # a name need not be UTF-8
    number = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")
    return number < share * 2**64


def split(spark: Any, config: dict[str, Any], listing: Listing) -> Split:
    """Split a listing.

    Args:
        spark: the Spark session.
        config: the run's config; the setting `validation` is the share of the photographs to validate with.
        listing: what is split.

    Raises:
        DataError: one side would be empty, or there are photographs of one class only.
    """
    photographs = listing.photographs.some(len(listing.photographs), config["measure"]["seed"])
    if len({*photographs.labels}) < 2:
        one = listing.classes[photographs.labels[0]]
        raise DataError(
            f"all {len(photographs)} photographs are of one class, '{one}': there is nothing to tell apart",
            where="dataset",
            hint="use photographs of two classes at least",
        )
    with report.phase("split"):
        places = originals(_looks(spark, config, photographs, listing.fingerprint))
    share, names = config["entrypoint"]["settings"]["validation"], [photographs[place].relative for place in places]
    chosen = [is_validation(name, config["sampling"], share) for name in names]
    _report(len(photographs), len({*places}))
    sides = [
        _part(listing, photographs, [place for place, other in enumerate(chosen) if other == side])
        for side in (False, True)
    ]
    _check(sides, listing.classes)
    return Split(*sides)


def _looks(spark: Any, config: dict[str, Any], photographs: Photographs, fingerprint: str) -> list[bytes]:
    """The look of each photograph, computed by executors once, and kept beside prepared data."""
    kept = storage.join(config["storage"]["prepared"], f"looks-v{_VERSION}-{fingerprint}.json")
    try:
        looks = [bytes.fromhex(look) for look in json.loads(storage.read_bytes(kept))]
        if len(looks) == len(photographs):
            return looks
    except (FileNotFoundError, NotADirectoryError, ValueError):  # there is none, or it is damaged
        pass
    access = storage.access(bool(config["dataset"].get("anonymous")))

    def look(part: Photographs) -> list[bytes]:
        return [
            look_of(b"" if isinstance(content, OSError) else content)
            for content in storage.read_each(part.uris, **access)
        ]

    context = spark.sparkContext
    count = min(len(photographs), context.defaultParallelism * 4)
    bounds = [len(photographs) * number // count for number in range(count + 1)]
    parts = [photographs[start:end] for start, end in itertools.pairwise(bounds)]
    looks = [one for part in context.parallelize(parts, count).map(look).collect() for one in part]
    storage.write_bytes(kept, json.dumps([one.hex() for one in looks]).encode())
    return looks


def _part(listing: Listing, photographs: Photographs, places: Sequence[int]) -> Listing:
    chosen = photographs.pick(places)
    fingerprint = photographs_fingerprint(lines_of(chosen), listing.classes)
    return replace(listing, photographs=chosen, fingerprint=fingerprint)


def _report(count: int, different: int) -> None:
    report.fact("copies", count - different)
    if different < count:
        report.note(f"{count - different} photographs are copies of others; copies are in the same set")


def _check(sides: Sequence[Listing], classes: Sequence[str]) -> None:
    """Refuse an empty side, and report the classes that a side lacks.

    Raises:
        DataError: a side is empty.
    """
    for side, listing in zip(("training", "validation"), sides, strict=True):
        report.fact(f"{side}_images", len(listing.photographs))
        if not len(listing.photographs):
            raise DataError(
                f"no photographs are left for {side}",
                where="entrypoint.settings.validation",
                hint="use more photographs, or another share",
            )
        present = {*listing.photographs.labels}  # type: ignore[union-attr]  # both are `Photographs`
        if missing := [name for number, name in enumerate(classes) if number not in present]:
            what = "is nothing to learn from" if side == "training" else "the accuracy says nothing of it"
            report.note(f"{side} has no photographs of {', '.join(missing)}: {what}")
