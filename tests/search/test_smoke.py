"""Which clusters a smoke run rules out, and which it does not."""

from __future__ import annotations

from typing import Any

import pytest

from flowerexp.search import Candidate, SearchSettings, Shape, SmokeRun, Status, bound, hopeless, in_vain, needed_memory
from flowerexp.search.smoke import FAILURES, SLOWER, TOO_MUCH


def cluster(name: str, usd: float | None = 1.0) -> Candidate:
    return Candidate(name, Shape(4, 16, 2), usd)


def smoked(**runs: tuple[float | None, float] | Status) -> dict[str, SmokeRun]:
    """Smoke runs: each the price of the cluster and the seconds, or how it ended otherwise."""
    found = {}
    for name, run in runs.items():
        if isinstance(run, Status):
            found[name] = SmokeRun(cluster(name), run, 10.0, "took too long")
        else:
            found[name] = SmokeRun(cluster(name, run[0]), Status.FINISHED, run[1])
    return found


@pytest.mark.parametrize(
    ("settings", "other", "dropped"),
    [
        ({}, (1.0, 100.0 * TOO_MUCH * 1.01), True),  # as dear an hour, and far slower
        ({}, (1.0, 100.0 * TOO_MUCH * 0.99), False),
        ({}, (0.1, 100.0 * TOO_MUCH * 1.01), False),  # as slow as the first, but it costs half as much
        ({}, (20.0, 100.0 * SLOWER * 1.01), True),  # far dearer, and slower
        ({}, (20.0, 100.0 * SLOWER * 0.99), False),  # far dearer, and it may well pay where there is more to do
        ({"objective": "time"}, (20.0, 100.0 * TOO_MUCH * 0.99), False),
        ({"objective": "time"}, (None, 100.0 * TOO_MUCH * 1.01), True),
        ({"objective": "time", "max_usd": 9.0}, (0.1, 100.0 * TOO_MUCH * 1.01), False),  # the first may be too dear
        ({"objective": "time", "max_usd": 9.0}, (1.0, 100.0 * TOO_MUCH * 1.01), True),
        ({"max_seconds": 130.0}, (1.0, 130.5), True),  # all of the data takes no less
        ({"max_seconds": 130.0}, (1.0, 129.5), False),  # whatever it would be multiplied by
        ({"max_usd": 0.05}, (1.0, 180.5), True),
        ({"max_usd": 0.05}, (1.0, 179.5), False),
    ],
)
def test_what_is_far_behind_is_dropped_and_where_its_run_would_be_aborted(settings, other, dropped):
    from flowerexp.search import Objective

    asked = SearchSettings(**{**settings, "objective": Objective(settings.get("objective", "cost"))})
    seen = smoked(first=(1.0, 100.0), other=other)
    assert (list(hopeless(seen, asked)) == ["other"]) is dropped
    limit = bound(seen["other"].candidate, [seen["first"]], asked)
    assert limit is not None
    assert (other[1] > limit.seconds) is dropped


def test_the_reason_names_what_it_was_compared_with():
    seen = smoked(first=(1.0, 10.0), middle=(1.0, 20.0), last=(1.0, 60.0))
    assert hopeless(seen, SearchSettings()) == {
        "last": "its smoke run took longer than that of first, and cost more than 5 times as much"
    }


def test_of_short_smoke_runs_much_is_chance():
    dropped = [hopeless(smoked(first=(1.0, 0.1), last=(1.0, 0.1 + late)), SearchSettings()) for late in (9.9, 10.1)]
    assert list(map(list, dropped)) == [[], ["last"]]


def test_nothing_bounds_the_first_smoke_run_but_the_constraints():
    assert bound(cluster("first"), [], SearchSettings()) is None
    limit = bound(cluster("first"), [], SearchSettings(max_seconds=30.0))
    assert limit is not None
    assert (limit.seconds, limit.reason) == (30.0, "alone takes longer than max_seconds=30")


def test_what_failed_is_dropped_if_any_other_finished():
    ended: dict[str, Any] = {"failed": Status.FAILED, "refused": Status.REFUSED, "aborted": Status.ABORTED}
    assert set(hopeless(smoked(good=(1.0, 10.0), **ended), SearchSettings())) == {"failed", "aborted"}
    assert set(hopeless(smoked(**ended), SearchSettings())) == {"aborted"}


def test_smoke_runs_that_all_fail_are_in_vain():
    failed = list(smoked(**{str(n): Status.FAILED for n in range(FAILURES)}).values())
    refused, good = smoked(refused=Status.REFUSED, good=(1.0, 10.0)).values()
    assert in_vain([refused, *failed])
    assert not in_vain([refused, *failed[1:]])
    assert not in_vain([good, *failed])


def test_the_memory_that_is_needed_is_the_median_of_those_that_finished():
    ended = [(Status.FINISHED, 10.0), (Status.FINISHED, 30.0), (Status.FINISHED, 80.0), (Status.FAILED, 900.0),
             (Status.FINISHED, None)]  # fmt: skip
    seen = [SmokeRun(cluster(str(place)), how, 1.0, needs_gb=gb) for place, (how, gb) in enumerate(ended)]
    assert needed_memory(seen) == 30
    assert needed_memory(seen[3:]) is None
