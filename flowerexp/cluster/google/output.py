"""What a driver prints, read from the bucket while Dataproc writes it: objects `PREFIX.000000000` and on, that grow."""

from __future__ import annotations

from google.api_core import exceptions

from flowerexp.cluster.google.refusals import scrubbed
from flowerexp.cluster.google.staging import Bucket


def clean(line: str) -> str:
    """A line without secrets; flowerexp's own messages hold none, and must not be changed."""
    return line if line.startswith('{"flowerexp"') else scrubbed(line)


class DriverOutput:
    """A driver's output, read on from where it was read to.

    Args:
        bucket: any that reaches the objects; they may lie in another.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._prefix = ""
        self._read: dict[str, int] = {}
        self._rest = b""
        self.came = False
        """Is any of it there?"""

    def place(self, prefix: str) -> str:
        """Where it is looked for, as a user would find it."""
        return f"{prefix}.*"

    def lines(self, prefix: str, *, ended: bool) -> list[str]:
        """The whole lines that came since the last call.

        Args:
            prefix: the objects' URI, less the dot and number; empty while Dataproc does not name it yet.
            ended: the driver has ended, so that what is left without an end of line is a line, too.

        Raises:
            Exception: any of `staging.GOOGLE_ERRORS`; nothing is lost by that, the next call reads on.
        """
        if prefix != self._prefix:  # the driver was started again
            self._prefix, self._read = prefix, {}
        for uri, size in sorted(self._sizes().items()):
            done = self._read.get(uri, 0)
            if size > done:
                content = self._bucket.read(uri, done, retry=False)
                self._read[uri] = done + len(content)
                self._rest += content
        whole, _, rest = (self._rest, b"", b"") if ended else self._rest.rpartition(b"\n")
        self._rest = rest
        found = whole.decode(errors="replace").splitlines() if whole else []
        return [clean(line) for line in found]

    def everything(self, prefix: str) -> str:
        """All that the driver printed, without secrets.

        Raises:
            Exception: any of `staging.GOOGLE_ERRORS`.
        """
        self._prefix = prefix
        content = b"".join(self._bucket.read(uri) for uri in sorted(self._sizes(retry=True)))
        return "".join(f"{clean(line)}\n" for line in content.decode(errors="replace").splitlines())

    def _sizes(self, *, retry: bool = False) -> dict[str, int]:
        if not self._prefix:
            return {}
        try:
            found = self._bucket.sizes(f"{self._prefix}.", retry=retry)
        except exceptions.NotFound:
            return {}
        self.came = self.came or bool(found)
        return found
