"""The search as a sweep uses it: what is suggested, when it stops, what wins."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowerexp.errors import ConfigError
from flowerexp.search import (
    Candidate,
    Objective,
    Observation,
    Rule,
    Search,
    SearchSettings,
    Shape,
    Status,
    Stop,
    Suggestion,
    Why,
)
from flowerexp.search.rules import FAILURES
from flowerexp.search.trials import OVERRUN
from tests.search.conftest import clusters, finished, live

CHEAPEST = min(clusters(), key=lambda candidate: finished(candidate).cost or 0)


def names(told):
    return [candidate.name for candidate, _ in told]


def suggested(search: Search) -> Suggestion:
    step = search.suggest()
    assert isinstance(step, Suggestion)
    return step


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.slow
def test_same_seed_same_sequence_and_another_seed_another(candidates, rule):
    def sequence(seed):
        return names(live(Search(candidates, SearchSettings(rule=rule, seed=seed, max_runs=5))))

    once = sequence(3)
    assert sequence(3) == once
    assert any(sequence(seed) != once for seed in range(3)) or rule is Rule.EXHAUSTIVE


def test_suggest_without_news_changes_nothing(search):
    live_first = suggested(search)
    assert suggested(search) == live_first
    search.recommendation()
    assert suggested(search) == live_first


@pytest.mark.parametrize("seed", range(6))
def test_finds_the_optimum_with_less_than_all(candidates, seed):
    search = Search(candidates, SearchSettings(expected_runs=100, seed=seed))
    told = live(search)
    winner, value = search.best() or (None, 0.0)
    assert value <= 1.05 * (finished(CHEAPEST).cost or 0), winner
    assert 6 <= len(told) < len(candidates)


def test_stops_where_looking_further_would_cost_more_than_it_saves(candidates):
    search = Search(candidates, SearchSettings(expected_runs=100))
    live(search)
    stop = search.suggest()
    assert isinstance(stop, Stop)
    assert stop.why is Why.NOT_WORTH_IT
    assert (stop.expected_saving or 0) < (stop.expected_spend or 0)
    assert "100 runs" in stop.explanation


@pytest.mark.slow
def test_looks_longer_for_a_job_that_will_run_more_often(candidates):
    def count(expected):
        return sum(
            len(live(Search(candidates, SearchSettings(expected_runs=expected, seed=seed)))) for seed in range(4)
        )

    assert count(5) < count(5000)


def test_max_runs_ends_it(candidates):
    search = Search(candidates, SearchSettings(expected_runs=1e6, max_runs=8))
    assert len(live(search)) == 8
    stop = search.suggest()
    assert isinstance(stop, Stop)
    assert stop.why is Why.MAX_RUNS


def test_replay_equals_live(candidates):
    settings_ = SearchSettings(expected_runs=100, seed=5)
    whole = Search(candidates, settings_)
    told = live(whole)
    for cut in range(len(told)):
        resumed = Search(candidates, settings_)
        for candidate, seen in told[:cut]:
            resumed.tell(candidate, seen)
        assert suggested(resumed).candidate == told[cut][0]
    for candidate, seen in told[cut:]:
        resumed.tell(candidate, seen)
    assert resumed.suggest() == whole.suggest()
    assert resumed.recommendation() == whole.recommendation()


def test_a_prior_observation_is_used_but_not_paid_for(candidates):
    search = Search(candidates, SearchSettings(expected_runs=100))
    for candidate in candidates[::2]:
        search.tell(candidate, finished(candidate), prior=True)
    before = search.recommendation()
    assert before.spent == 0
    assert before.runs == 0
    told = live(search)
    assert not set(names(told)) & {candidate.name for candidate in candidates[::2]}
    assert search.recommendation().spent == pytest.approx(sum(seen.cost or 0 for _, seen in told))


def test_limits_follow_the_best_and_the_constraint(candidates):
    search = Search(candidates, SearchSettings(max_seconds=400))
    first = suggested(search)
    rate = (first.candidate.usd_per_hour or 0) / 3600
    assert first.limits.seconds == pytest.approx(400 * OVERRUN)
    assert first.limits.usd == pytest.approx(400 * OVERRUN * rate)
    free = Search(candidates, SearchSettings())
    assert suggested(free).limits.usd is None
    free.tell(first.candidate, Observation(Status.FINISHED, 2.0, 100.0))
    assert suggested(free).limits.usd == pytest.approx(2 * OVERRUN)


def test_a_start_that_is_billed_too_moves_the_limits(candidates):
    search = Search(candidates, SearchSettings(max_seconds=400))
    one = candidates[7]
    seen = finished(one)
    search.tell(one, replace(seen, cost=2 * (seen.cost or 0)))
    step = suggested(search)
    rate = (step.candidate.usd_per_hour or 0) / 3600
    assert step.limits.usd == pytest.approx(2 * rate * (step.limits.seconds or 0))


@given(st.lists(st.tuples(st.integers(0, 19), st.sampled_from(Status)), max_size=25))
@settings(max_examples=30, deadline=None)
@pytest.mark.slow
def test_whatever_is_told_only_what_finished_wins(events):
    candidates = clusters()
    search = Search(candidates, SearchSettings(expected_runs=100))
    done = {}
    for index, status in events:
        seen = finished(candidates[index])
        cost = (seen.cost or 0) * (1e-3 if status is not Status.FINISHED else 1)  # temptingly cheap
        search.tell(candidates[index], Observation(status, cost, seen.seconds))
        if status is Status.FINISHED:
            done[candidates[index].name] = cost
    step, result = search.suggest(), search.recommendation()
    assert (result.winner.name if result.winner else None) == (min(done, key=lambda name: done[name]) if done else None)
    if isinstance(step, Suggestion):
        assert step.candidate not in [candidates[index] for index, _ in events]
    else:
        ended = {Why.MAX_RUNS, Why.ALL_FAIL}
        assert result.winner or len({index for index, _ in events}) == len(candidates) or step.why in ended
    assert 0 <= result.probability_best <= 1 + 1e-9


def test_refused_is_removed_and_tells_nothing(candidates):
    search = Search(candidates, SearchSettings(expected_runs=100))
    untouched = Search(candidates, SearchSettings(expected_runs=100))
    one, two = candidates[8], candidates[3]
    for each in (search, untouched):
        each.tell(one, finished(one))
    search.tell(two, Observation(Status.REFUSED, 0.5, 10.0))
    bands = [{p.candidate.name: p.median for p in each.recommendation().predictions} for each in (search, untouched)]
    assert bands[0] == bands[1]
    assert search.recommendation().spent == untouched.recommendation().spent + 0.5
    assert two.name not in names(live(search))


def test_all_refused_ends_without_a_winner(candidates):
    search = Search(candidates, SearchSettings())
    told = live(search, lambda _: Observation(Status.REFUSED))
    assert len(told) == len(candidates)
    assert search.recommendation().winner is None


@pytest.mark.parametrize("rule", [Rule.SAVING, Rule.CHERRYPICK, Rule.RANDOM])
@pytest.mark.slow
def test_runs_that_all_fail_end_it(candidates, rule):
    search = Search(candidates, SearchSettings(rule=rule, max_runs=20))
    told = live(search, lambda candidate: Observation(Status.FAILED, 0.1, 60.0))
    assert len(told) == FAILURES
    last = search.suggest()
    assert isinstance(last, Stop)
    assert last.explanation == "all 5 runs failed, so that the job is probably at fault, and not the clusters"
    search.tell(candidates[-1], finished(candidates[-1]))  # one that works after all
    assert search.suggest().why is not Why.ALL_FAIL


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("status", [Status.FINISHED, Status.ABORTED, Status.FAILED])
def test_a_cost_or_a_time_that_is_not_a_number_is_refused(search, candidates, value, status):
    for observation in (Observation(status, value, 60.0), Observation(status, 0.1, value)):
        with pytest.raises(ConfigError, match=f"of the run on {candidates[0].name} is {value}"):
            search.tell(candidates[0], observation)
    assert search.recommendation().runs == 0


def test_a_failed_run_makes_its_neighbours_less_likely(candidates):
    search = Search(candidates, SearchSettings())
    for candidate in candidates[5:10]:
        search.tell(candidate, finished(candidate))
    before = search.recommendation().predictions[19].median
    search.tell(candidates[18], Observation(Status.FAILED, 0.0, 1.0))
    after = search.recommendation().predictions[19].median
    assert before is not None
    assert after is not None
    assert after > before


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2, 3))])
@pytest.mark.parametrize("rule", [Rule.SAVING, Rule.CHERRYPICK])
@pytest.mark.slow
def test_the_winner_keeps_to_max_seconds(candidates, seed, rule):
    limit = 450.0
    allowed = [c for c in candidates if (finished(c).seconds or 0) <= limit]
    assert CHEAPEST not in allowed
    search = Search(candidates, SearchSettings(rule=rule, expected_runs=100, max_seconds=limit, seed=seed))
    live(search)
    winner, value = search.best() or (None, 0.0)
    assert winner in allowed
    if rule is Rule.SAVING:
        assert value <= 1.1 * min(finished(c).cost or 0 for c in allowed)


def test_gives_up_where_no_cluster_can_keep_to_max_seconds(candidates):
    search = Search(candidates, SearchSettings(max_seconds=5))
    told = live(search)
    stop = search.suggest()
    assert isinstance(stop, Stop)
    assert stop.why is Why.HOPELESS
    assert len(told) <= 12
    assert search.recommendation().winner is None


def test_the_objective_time_needs_no_prices(candidates):
    free = [replace(candidate, usd_per_hour=None) for candidate in candidates]
    search = Search(free, SearchSettings(objective=Objective.TIME, expected_runs=100))
    while isinstance(step := search.suggest(), Suggestion):
        seconds = finished(next(c for c in candidates if c.name == step.candidate.name)).seconds or 0
        assert step.limits.usd is None
        limit = step.limits.seconds
        late = limit is not None and seconds > limit
        seen = Observation(Status.ABORTED if late else Status.FINISHED, None, limit if late else seconds)
        search.tell(step.candidate, seen)
    value = (search.best() or (None, 0.0))[1]
    assert value <= 1.1 * min(finished(candidate).seconds or 0 for candidate in candidates)


def test_max_usd_bounds_a_search_for_time(candidates):
    limit = 1.2 * (finished(CHEAPEST).cost or 0)
    search = Search(candidates, SearchSettings(objective=Objective.TIME, max_usd=limit, expected_runs=100))
    assert suggested(search).limits.usd == pytest.approx(OVERRUN * limit)
    live(search)
    winner = (search.best() or (None, 0.0))[0]
    assert winner
    assert (finished(winner).cost or 0) <= limit


def test_the_recommendation_adds_up(search, candidates):
    told = live(search)
    result = search.recommendation()
    assert result.spent == pytest.approx(sum(seen.cost or 0 for _, seen in told))
    assert result.runner_up_value is not None
    assert result.value is not None
    assert result.value <= result.runner_up_value
    assert [p.candidate for p in sorted(result.predictions, key=lambda p: (p.order is None, p.order))][: len(told)] == [
        candidate for candidate, _ in told
    ]
    assert sum(p.probability_best for p in result.predictions) == pytest.approx(1)
    assert all(0 < (p.low or 0) < (p.median or 0) < (p.high or 0) for p in result.predictions)
    assert result.typical is not None
    assert result.pays_after == pytest.approx(result.spent / (result.typical - result.value))


def test_all_tried_is_certain(candidates):
    search = Search(candidates, SearchSettings(rule=Rule.EXHAUSTIVE))
    assert len(live(search)) == len(candidates)
    result = search.recommendation()
    assert result.winner == CHEAPEST
    assert result.probability_best == 1


def test_clusters_that_look_alike_and_only_one(candidates):
    twins = [replace(candidates[0], name=name) for name in "abcdefgh"]
    assert live(Search(twins, SearchSettings()))
    lone = Search(twins[:1], SearchSettings())
    assert len(live(lone)) == 1
    assert lone.recommendation().winner == twins[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "4xc.large"}, "two clusters are called 4xc.large"),
        ({"shape": Shape(0, 4, 2)}, "0 as its vCPUs"),
        ({"shape": Shape(2, float("nan"), 2)}, "nan as its memory"),
        ({"usd_per_hour": 0.0}, "price of 0.0"),
    ],
)
def test_candidates_that_cannot_be_compared_are_refused(candidates, change, said):
    with pytest.raises(ConfigError, match=said):
        Search([replace(candidates[0], **change), *candidates[1:]])


def test_what_a_user_can_get_wrong_is_one_line(candidates):
    free = [replace(candidates[0], usd_per_hour=None), *candidates[1:]]
    with pytest.raises(ConfigError, match="max_seconds needs"):
        Search(free, SearchSettings(max_seconds=100))
    with pytest.raises(ConfigError, match="is unknown or 0"):
        Search(free).tell(free[0], Observation(Status.FINISHED, None, 12.0))
    with pytest.raises(ConfigError, match="no clusters"):
        Search([])
    for wrong in (0, math.inf, math.nan):
        with pytest.raises(ConfigError, match=f"expected_runs is {wrong}"):
            SearchSettings(expected_runs=wrong)
    with pytest.raises(ConfigError, match="not one of the clusters"):
        Search(free).tell(Candidate("other", Shape(1, 1, 1)), Observation(Status.REFUSED))


def test_cost_follows_from_seconds_and_price(candidates):
    search = Search(candidates)
    search.tell(candidates[0], Observation(Status.FINISHED, None, 3600.0))
    assert search.recommendation().value == pytest.approx(candidates[0].usd_per_hour)


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.slow
def test_the_order_of_the_candidates_changes_nothing(candidates, rule):
    settings_ = SearchSettings(rule=rule, max_runs=5, seed=2)
    shuffled = candidates[7:] + candidates[:7][::-1]
    one, other = Search(candidates, settings_), Search(shuffled, settings_)
    assert names(live(one)) == names(live(other))
    assert one.recommendation().probability_best == other.recommendation().probability_best
    assert [p.candidate for p in other.recommendation().predictions] == list(other.candidates) == shuffled


def test_equal_runs_end_with_an_honest_probability(candidates):
    search = Search(candidates, SearchSettings(rule=Rule.RANDOM, max_runs=12))
    told = live(search, lambda candidate: Observation(Status.FINISHED, 1.0, 3600 / (candidate.usd_per_hour or 0)))
    assert len(told) == 12
    assert search.recommendation().probability_best > 0.1


def twins(candidates):
    """Each cluster on demand, and at a third of the price."""
    spot = [replace(c, name=f"spot {c.name}", usd_per_hour=(c.usd_per_hour or 0) / 3) for c in candidates]
    return [*candidates, *spot]


@pytest.mark.parametrize("seed", range(3))
def test_a_dearer_twin_is_never_tried(candidates, seed):
    told = names(live(Search(twins(candidates), SearchSettings(seed=seed))))
    assert told
    assert all(name.startswith("spot ") for name in told)


def test_the_time_of_a_twin_is_known(candidates):
    search = Search(twins(candidates), SearchSettings())
    search.tell(search.candidates[6], finished(search.candidates[6]))
    search.tell(search.candidates[11], finished(search.candidates[11]))
    of = {p.candidate.name: p for p in search.recommendation().predictions}
    known, twin, other = of["4xc.xlarge"], of["spot 4xc.xlarge"], of["spot 6xc.xlarge"]
    assert twin.median == pytest.approx((known.value or 0) / 3, rel=0.05)
    assert (twin.high or 0) / (twin.low or 1) < 0.7 * (other.high or 0) / (other.low or 1)


def test_a_run_that_was_aborted_says_at_least(candidates):
    """The model takes its value as a bound: a bound below what it expects changes little, one above it much."""

    def median(bound):
        search = Search(candidates, SearchSettings())
        for one in candidates[5:8]:
            search.tell(one, finished(one))
        search.tell(candidates[9], Observation(Status.ABORTED, bound, 60.0))
        return search.recommendation().predictions[9].median

    low, lower, high = median(1e-2), median(1e-3), median(1.0)
    assert low == pytest.approx(lower, rel=0.1)
    assert high > 1.0 > low


@pytest.mark.parametrize("expected", [1, 2, 3])
def test_a_search_that_cannot_pay_for_itself_says_so_before_it_starts(candidates, expected):
    search = Search(candidates, SearchSettings(expected_runs=expected))
    stop = search.suggest()
    assert isinstance(stop, Stop)
    assert stop.why is Why.NOT_WORTH_STARTING
    assert stop.instead
    assert stop.instead in candidates
    assert (stop.expected_saving or 0) < (stop.expected_spend or 0)
    assert stop.instead.name in stop.explanation
    forced = Search(candidates, SearchSettings(expected_runs=expected, min_runs=1))
    assert len(live(forced)) < 4


@pytest.mark.slow
def test_the_first_pick_is_among_the_cheaper(candidates):
    dear = [replace(one, usd_per_hour=10 * (one.usd_per_hour or 0)) for one in candidates[:10]]
    firsts = {suggested(Search([*dear, *candidates[10:]], SearchSettings(seed=seed))).candidate for seed in range(8)}
    assert len(firsts) > 1
    assert firsts <= set(candidates[10:])
