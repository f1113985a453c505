"""Tests that ship: a package that adds a kind of cluster runs them on its own kind, with pytest.

::

    from flowerexp.testing import BackendContract, KindContract


    @pytest.fixture
    def cluster():
        return MyCluster(kind="my_kind", nodes=2)  # as a checked config has it


    class TestMyKind(KindContract):
        pass


    class TestMyJobs(BackendContract):
        pass

`KindContract` starts nothing. `BackendContract` runs a small job on the cluster, so what that needs must be there.
"""

from flowerexp.testing.backend import BackendContract
from flowerexp.testing.kind import KindContract
from flowerexp.testing.observer import Observer

__all__ = ["BackendContract", "KindContract", "Observer"]
