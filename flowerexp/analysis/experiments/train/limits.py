"""What limits a training, in one sentence: storage, decoding, the exchange of gradients, or the network itself."""

from __future__ import annotations

import math

from flowerexp.analysis.estimate import Interval
from flowerexp.analysis.experiments.train.cells import EXCHANGE, INPUT, Cell

SMALL, LARGE = 0.10, 0.50
"""An input whose share of the time is certainly below `SMALL` is no limit; above `LARGE` it is the limit."""


def percent(share: Interval) -> str:
    """A share with its interval, as text."""
    if share.low is None or share.high is None:
        return f"{share.value:.0%}"
    return f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def sentence(cell: Cell, page_cache: str, remote: bool) -> str:
    """What limits a cell.

    Args:
        cell: the cell.
        page_cache: the setting: `warm`, `cold` or `as_found`.
        remote: whether the photographs are in a bucket.
    """
    share = cell.share(INPUT)
    if math.isnan(share.value):
        return "it is not known what limits it: no epoch was timed"
    waits = f"{percent(share)} of an epoch waits for images"
    low, high = (share.value if end is None else end for end in (share.low, share.high))
    gain = f"{1 / (1 - share.value):.2f} times as fast" if share.value < 1 else "faster"
    exchanged = cell.share(EXCHANGE).value
    rest = "the exchange of gradients" if exchanged > (1 - share.value - exchanged) else "the network"
    if high <= SMALL:
        return f"{waits}: {rest} is the limit; an input that took no time would make it {gain} at most"
    source = _source(cell, page_cache, remote)
    if low >= LARGE:
        return f"{waits}: {source} is the limit; an input that took no time would make it {gain} at most"
    if share.value < LARGE:
        return f"{waits}: {rest} limits it more than {source}; without any wait it would be {gain}"
    return f"{waits}: {source} seems to be the limit, but the interval also allows the opposite"


def _source(cell: Cell, page_cache: str, remote: bool) -> str:
    """What the input waits for."""
    if "cache=true" in cell.series.split():
        return "handing over images that were decoded before"
    if page_cache == "warm" and not remote:
        return "decoding"  # the files are in memory
    if remote:
        return "the bucket, or decoding what comes from it,"
    return "storage or decoding (entrypoint.settings.page_cache=warm tells which)"
