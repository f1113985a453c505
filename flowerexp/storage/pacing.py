"""When the answers of a simulated bucket are sent: arithmetic with seconds, without a clock of its own."""

from __future__ import annotations

import math
import random

from flowerexp.storage.simulated import Pace


class Pacer:
    """Decides when the first and the last byte of each answer leave.

    Times are those of any clock in seconds. What is planned follows from planned times, not from when something really
    happened, so that late wake-ups do not add up.

    Args:
        pace: how fast the bucket answers.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._random = random.Random(pace.seed)
        self._free = -math.inf  # when all connections together can take the next bytes

    def latency(self) -> float:
        """The seconds from the next request to the first byte of its answer."""
        median, deviation = (self._pace.latency_ms or 0.0) / 1000, self._pace.jitter or 0.0
        return median * math.exp(self._random.gauss(0.0, deviation)) if deviation else median

    def sent(self, since: float, size: int) -> float:
        """When some bytes of an answer have been sent.

        Args:
            since: when the bytes of the same connection before them had been sent.
            size: how many there are.
        """
        done = since
        if self._pace.connection_mb_s:
            done += size / (self._pace.connection_mb_s * 1e6)
        if self._pace.bandwidth_mb_s:
            self._free = max(self._free, since) + size / (self._pace.bandwidth_mb_s * 1e6)
            done = max(done, self._free)
        return done
