"""The fixtures of the servers, for their own tests."""

from tests.rehearsal.plugin import cloud, cloud_servers

__all__ = ["cloud", "cloud_servers"]
