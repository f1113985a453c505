"""The time that a run of a search may take."""

from flowerexp.errors import AbortedError
from flowerexp.orchestrate import TimeLimit


def test_a_limit_that_has_passed_stays_where_it_passed():
    limit = TimeLimit(10, ("prepare",))
    limit.start(0.0)
    assert limit.passes(11.0)
    limit.hear({"phase": "prepare"}, 12.0)
    limit.hear({"phase": "measure"}, 13.0)
    assert limit.taken == 11.0
    assert isinstance(limit.error, AbortedError)
    assert str(limit.error) == "it was stopped after 11 s, since it can no longer win"


def test_nothing_passes_before_the_run_has_started():
    limit = TimeLimit(10)
    assert not limit.passes(1e9)
    limit.start(5.0)
    limit.start(100.0)
    assert not limit.passes(15.0), "it may take the whole of its seconds"
    assert limit.passes(15.1), "the first start counts"


def test_a_phase_that_others_share_is_not_limited_however_long_it_is():
    limit = TimeLimit(10, ("generate", "prepare"))
    limit.start(0.0)
    for phase, now in (("generate", 1.0), ("prepare", 500.0)):
        limit.hear({"phase": phase}, now)
        assert not limit.passes(now + 400)
    limit.hear({"phase": "measure"}, 1000.0)
    assert not limit.passes(1010.0)
    assert limit.passes(1010.5)


def test_a_limit_begins_after_what_later_runs_share():
    limit = TimeLimit(10, ("generate", "prepare"))
    limit.start(100.0)
    limit.hear({"phase": "prepare", "done": 1, "total": 2}, 150.0)
    assert not limit.passes(1000.0)
    limit.hear({"phase": "measure", "done": 0, "total": 0}, 1005.0)
    limit.hear({"phase": "measure", "done": 1, "total": 2}, 1010.0)
    assert not limit.passes(1014.0)
    assert limit.passes(1016.0)
    assert not limit.passes(1017.0), "once is enough"
    assert limit.taken == 11.0
