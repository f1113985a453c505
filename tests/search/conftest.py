"""A small made-up world: twenty clusters, and a job whose memory must fit and whose overhead grows with the nodes."""

from collections.abc import Callable

import pytest

from flowerexp.search import Candidate, Observation, Search, SearchSettings, Shape, Status, Stop

Run = Callable[[Candidate], Observation]


def clusters() -> list[Candidate]:
    """Five sizes of four machine types."""
    types = {"c.large": (2, 4.0), "c.xlarge": (4, 8.0), "m.large": (2, 8.0), "m.xlarge": (4, 16.0)}
    return [
        Candidate(f"{nodes}x{name}", Shape(vcpus, memory, nodes, name[0]), nodes * (0.045 * vcpus + 0.004 * memory))
        for name, (vcpus, memory) in types.items()
        for nodes in (2, 4, 6, 8, 12)
    ]


def finished(candidate: Candidate) -> Observation:
    """What the job comes to on a cluster: it needs 40 GB in total, or is three times as slow."""
    shape = candidate.shape
    cores = shape.vcpus_per_node * shape.nodes
    spills = shape.memory_gb_per_node * shape.nodes < 40
    seconds = (60 + 8 * shape.nodes + 9000 / cores) * (3 if spills else 1)
    return Observation(Status.FINISHED, seconds * (candidate.usd_per_hour or 0) / 3600, seconds)


def live(search: Search, run: Run = finished) -> list[tuple[Candidate, Observation]]:
    """Ask and tell until it stops, aborting runs at their limits; what was told, in order."""
    told = []
    while not isinstance(step := search.suggest(), Stop):
        seen = run(step.candidate)
        limit = step.limits.usd
        if limit is not None and seen.cost is not None and seen.cost > limit:
            part = limit / seen.cost
            seen = Observation(Status.ABORTED, limit, (seen.seconds or 0) * part)
        search.tell(step.candidate, seen)
        told.append((step.candidate, seen))
        assert len(told) <= 60
    return told


@pytest.fixture
def candidates() -> list[Candidate]:
    return clusters()


@pytest.fixture
def search(candidates: list[Candidate]) -> Search:
    return Search(candidates, SearchSettings(expected_runs=100))
