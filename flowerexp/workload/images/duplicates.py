"""Count photographs of the same content: by the driver, or by executors that keep the contents of a large data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOGETHER = 5_000_000  # contents that one task compares: 40 MB


def copies(contents: NDArray[np.uint64]) -> int:
    """How many contents are the same as an earlier one."""
    import numpy as np

    return len(contents) - len(np.unique(contents))


class ContentsKept:
    """What preparing has written, of which the executors keep the contents' numbers, 8 bytes a photograph.

    Attributes:
        others: an RDD of the same results without these numbers.
    """

    def __init__(self, written: Any) -> None:
        """Keep results on the executors' disks.

        Args:
            written: an RDD of what `Writer.write` returns.
        """
        from pyspark import StorageLevel

        self._written = written.persist(StorageLevel.DISK_ONLY)
        self.others = self._written.map(_without_contents)

    def duplicates(self, count: int) -> int:
        """How many photographs have the same content as another one; the results are not kept any longer.

        Args:
            count: the number of photographs.
        """
        parts = max(1, count // _TOGETHER)

        def split(result: dict[str, Any]) -> Iterator[tuple[int, bytes]]:
            import numpy as np

            contents = np.frombuffer(result["inspection"].contents, np.uint64)
            for part in range(parts):
                yield part, contents[contents % np.uint64(parts) == part].tobytes()

        compared = self._written.flatMap(split).partitionBy(parts, int).mapPartitions(_compared)
        found = int(compared.sum())
        self._written.unpersist()
        return found


def _without_contents(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "inspection": replace(result["inspection"], contents=type(result["inspection"].contents)("Q"))}


def _compared(parts: Iterable[tuple[int, bytes]]) -> Iterator[int]:
    import numpy as np

    yield copies(np.frombuffer(b"".join(part for _, part in parts), np.uint64))
