"""The fingerprint of the data that a run's config names, as this machine can tell it before the run."""

from __future__ import annotations

from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload.images import generated, listing
from flowerexp.workload.read_speed.readers import IMAGE_FILES, TFRECORDS, data_of


def in_bucket(config: dict[str, Any]) -> bool:
    """Is some of the data in a bucket, where listing it takes a while?"""
    places = (config["dataset"].get("path"), _existing(config))
    return any(place and not storage.is_local(place) for place in places)


def fingerprint(config: dict[str, Any]) -> str | None:
    """The fingerprint; None for data that cannot be listed from here, and for data that a run would refuse.

    Args:
        config: a run's, as plain values; its experiment uses data.
    """
    existing = _existing(config)
    try:
        own = _photographs(config) if not existing or IMAGE_FILES in map(data_of, _readers(config)) else None
        return listing.data_fingerprint(own, _files(existing, config) if existing else ())
    except (DataError, OSError):
        return None


def _files(existing: str, config: dict[str, Any]) -> Any:
    from flowerexp.workload.read_speed.existing import find  # needs what few plans do

    return find(existing, bool(config["dataset"].get("anonymous"))).files


def _readers(config: dict[str, Any]) -> list[str]:
    return list(config["grid"].get("reader", ()))


def _existing(config: dict[str, Any]) -> str | None:
    """The folder of TFRecord files that a run reads instead of preparing its own."""
    place: str | None = config["dataset"]["tfrecords"] if TFRECORDS in map(data_of, _readers(config)) else None
    return place


def _photographs(config: dict[str, Any]) -> str | None:
    """The fingerprint of the run's photographs.

    Raises:
        DataError: a run would refuse them.
        OSError: they cannot be listed.
    """
    if config["dataset"]["kind"] == "synthetic":
        return generated.synthetic_fingerprint(config)
    path = config["dataset"].get("path")
    return listing.listing_of(path, config).fingerprint if path else None
