"""Look at a run's data before the run, from the launching machine: its fingerprint, and whether it is enough."""

from __future__ import annotations

from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.images.fingerprint import data_fingerprint
from flowerexp.workload.images.source import source_of
from flowerexp.workload.read_speed.readers import IMAGE_FILES, TFRECORDS, data_of


def in_bucket(config: dict[str, Any]) -> bool:
    """Whether some of the data is in a bucket, where listing takes a while."""
    source = source_of(config)
    places = (None if source.fingerprint() else source.place(), _existing(config))
    return any(place and not storage.is_local(place) for place in places)


def fingerprint(config: dict[str, Any]) -> str | None:
    """The fingerprint of a run's data; None if it cannot be listed from here, or if a run would refuse it.

    Args:
        config: the config, as plain values, of a run whose experiment uses data.
    """
    existing = _existing(config)
    try:
        reads_photographs = not existing or IMAGE_FILES in map(data_of, _readers(config))
        photographs = _photographs(config) if reads_photographs else None
        return data_fingerprint(photographs, _files(existing, config) if existing else ())
    except (DataError, OSError):
        return None


def too_few(config: dict[str, Any], needed: int) -> int | None:
    """How many photographs a run will find at most, if these are fewer than it needs.

    Args:
        config: as of `fingerprint`.
        needed: how many it needs.

    Returns:
        None where there are enough, or where that is not known from here: of a bucket, and of existing TFRecord files.
    """
    if config["dataset"]["tfrecords"]:
        return None
    source = source_of(config)
    found = source.most()
    if found is None and (place := source.place()) and storage.is_local(place):
        found = _counted(config, place, needed)
    return found if found is not None and found < needed else None


def _counted(config: dict[str, Any], place: str, needed: int) -> int | None:
    """How many photographs a folder's sample has; None if as many as needed, or none: then a run says what is wrong."""
    from flowerexp.workload.images.scan import Scan  # as below

    scan = Scan(config)
    try:
        return None if not scan.walk(place, enough=needed) else len(scan.sample) or None
    except OSError:
        return None


def _files(existing: str, config: dict[str, Any]) -> Any:
    from flowerexp.workload.read_speed.existing import find  # only few plans need it

    return find(existing, bool(config["dataset"].get("anonymous"))).files


def _readers(config: dict[str, Any]) -> list[str]:
    return list(config["grid"].get("reader", ()))


def _existing(config: dict[str, Any]) -> str | None:
    """The folder of existing TFRecord files that a run reads instead of prepared ones."""
    place: str | None = config["dataset"]["tfrecords"] if TFRECORDS in map(data_of, _readers(config)) else None
    return place


def _photographs(config: dict[str, Any]) -> str | None:
    """The fingerprint of the run's photographs.

    Raises:
        DataError: a run would refuse them.
        OSError: they cannot be listed.
    """
    source = source_of(config)
    if (known := source.fingerprint()) or (place := source.place()) is None:
        return known
    from flowerexp.workload.images.listing import listing_of  # a plan on generated photographs lists nothing

    return listing_of(place, config).fingerprint
