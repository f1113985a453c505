"""How a gate decides, and how often it errs: thousands of simulated gates, on machines of which the truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from flowerexp.gate.decision import Gain, Rules, decide, gains_over, look, more_blocks

RULES = Rules(margin=0.05, repeats=5, max_seconds=math.inf)
GATES = 1000


def blocks_of(*values):
    """A source of blocks of one series, for `decide`."""
    left = iter(values)
    return lambda: None if (value := next(left)) is None else {"a": value}


def never():
    return 0.0


class TestOneLook:
    def test_the_interval_is_students_of_paired_logarithms(self):
        (gain,) = gains_over([{"a": 0.8}, {"a": 0.9}, {"a": 1.0}])
        logs = np.log([0.8, 0.9, 1.0])
        reach = 4.302653 * logs.std(ddof=1) / math.sqrt(3)  # Student's 97.5 % with two degrees of freedom
        assert gain.gain == pytest.approx(math.exp(logs.mean()))
        assert (gain.low, gain.high) == pytest.approx((math.exp(logs.mean() - reach), math.exp(logs.mean() + reach)))

    def test_intervals_are_wider_the_more_series_there_are(self):
        few = gains_over([{"a": 0.9}, {"a": 1.1}])[0]
        many = gains_over([{"a": 0.9, "b": 1, "c": 1}, {"a": 1.1, "b": 1, "c": 1}])[0]
        assert many.gain == few.gain
        ends = [end for end in (many.low, few.low, few.high, many.high) if end is not None]
        assert len({*ends}) == 4
        assert ends == sorted(ends)

    @pytest.mark.parametrize(
        ("low", "high", "verdict"),
        [
            (0.96, 0.99, "not slower"),  # slower, but surely by less than the margin
            (0.97, 1.20, "not slower"),
            (1.01, 1.20, "not slower"),
            (0.90, 0.99, "slower"),
            (0.70, 0.80, "slower"),
            (0.90, 1.10, "inconclusive"),
            (None, None, "inconclusive"),
        ],
    )
    def test_a_series_is_judged_by_its_interval(self, low, high, verdict):
        assert Gain("a", 1.0, low, high).verdict(RULES) == verdict

    def test_one_slower_series_is_enough_and_all_have_to_be_good(self):
        good, bad, open_ = [1.0, 1.001, 0.999], [0.8, 0.801, 0.799], [0.9, 1.2, 1.0]
        sides = {"good": (good, good), "bad": (good, bad), "worst": (open_, bad), "open": (good, open_)}
        said = {
            name: look([dict(zip("ab", pair, strict=True)) for pair in zip(*both, strict=True)], RULES).verdict
            for name, both in sides.items()
        }
        assert said == {"good": "not slower", "bad": "slower", "worst": "slower", "open": "inconclusive"}

    def test_no_blocks_are_no_pass(self):
        assert look([], RULES).verdict == "inconclusive"


class TestTheWalk:
    def test_a_clear_pass_takes_the_blocks_of_one_look(self):
        decision = decide(RULES, blocks_of(*[1.0, 1.001] * 20), never)
        assert (decision.verdict, [one.blocks for one in decision.looks]) == ("not slower", [5])

    def test_slower_is_confirmed_by_as_many_blocks_again(self):
        decision = decide(RULES, blocks_of(*[0.8, 0.801] * 20), never)
        assert decision.verdict == "slower"
        assert [(one.blocks, one.verdict) for one in decision.looks] == [(5, "slower"), (10, "slower")]

    def test_slower_that_more_blocks_do_not_confirm_is_not_raised(self):
        decision = decide(RULES, blocks_of(*[0.9, 0.901] * 2, 0.9, *[1.1, 1.09] * 20), never)
        assert decision.looks[0].verdict == "slower"
        assert decision.verdict != "slower"

    def test_slower_that_the_last_look_alone_says_is_not_raised(self):
        decision = decide(RULES, blocks_of(*[0.7, 1.3, 1.0, 0.75, 1.25] * 2, *[0.7] * 10), never)
        assert [one.verdict for one in decision.looks] == ["inconclusive", "inconclusive", "slower"]
        assert (decision.verdict, decision.in_time) == ("inconclusive", True)

    def test_the_blocks_of_the_first_look_are_made_whatever_they_take(self):
        rules = Rules(margin=0.05, repeats=3, max_seconds=0)
        decision = decide(rules, blocks_of(0.8, 0.9, 1.0, 0.9, 0.8), lambda: 100.0)
        assert ([one.blocks for one in decision.looks], decision.in_time) == ([3], False)
        assert decision.verdict == "inconclusive"

    def test_a_block_that_would_end_too_late_is_not_begun(self):
        ticks = itertools.count()
        rules = Rules(margin=0.05, repeats=2, max_seconds=40)
        decision = decide(rules, blocks_of(*[0.7, 1.3] * 20), lambda: 10.0 * (next(ticks) + 2))
        # 20 s for two blocks and 30 s for three: a fourth ends at 40 s, a fifth would at 50 s.
        assert [one.blocks for one in decision.looks] == [2, 4]
        assert not decision.in_time

    def test_slower_is_not_raised_if_there_is_no_time_to_confirm_it(self):
        rules = Rules(margin=0.05, repeats=3, max_seconds=0)
        decision = decide(rules, blocks_of(0.8, 0.801, 0.8), lambda: 1.0)
        assert (decision.verdict, decision.looks[-1].verdict) == ("inconclusive", "slower")

    def test_fewer_blocks_than_a_look_asks_for_do_not_confirm_it(self):
        ticks = itertools.count()
        rules = Rules(margin=0.05, repeats=3, max_seconds=40)
        decision = decide(rules, blocks_of(*[0.8, 0.801] * 20), lambda: 10.0 * (next(ticks) + 3))
        assert [(one.blocks, one.verdict) for one in decision.looks] == [(3, "slower"), (4, "slower")]
        assert decision.verdict == "inconclusive"

    def test_a_block_that_cannot_be_believed_is_replaced(self):
        decision = decide(RULES, blocks_of(None, 1.0, 1.001, None, 1.0, 1.001, 1.0), never)
        assert decision.verdict == "not slower"
        assert decision.gains[0].gain == pytest.approx(1.0004, abs=1e-4)

    def test_if_no_block_can_be_believed_it_ends_when_the_time_does(self):
        ticks = itertools.count()
        rules = Rules(margin=0.05, repeats=2, max_seconds=10)
        decision = decide(rules, lambda: None, lambda: float(next(ticks)))
        assert (decision.verdict, decision.gains, decision.more) == ("inconclusive", (), None)


class TestHowManyMore:
    def test_so_many_more_blocks_of_the_same_spread_decide_it(self):
        blocks = [{"a": value} for value in (0.9, 1.1, 0.95, 1.05)]
        more = more_blocks(blocks, RULES)
        assert more
        logs = np.log([block["a"] for block in blocks])
        middle, spread = logs.mean(), logs.std(ddof=1)

        def low(count):
            from scipy.stats import t

            return middle - t.ppf(0.975, count - 1) * spread / math.sqrt(count)

        assert low(4 + more) > math.log(RULES.floor) >= low(4 + more - 1)

    def test_is_not_known_of_one_block_or_of_a_gain_at_the_limit(self):
        assert more_blocks([{"a": 0.9}], RULES) is None
        wide = [{"a": 1.0, "b": math.exp(sign * 2)} for sign in (1, -1)]
        assert more_blocks([*wide, *wide], RULES) is None


def machine(chance, kind, spread):
    """The logarithm of how slow each run of a gate is, one after the other, on a machine that is not quiet."""
    runs = 8 * RULES.repeats
    noise = chance.normal(0, spread, runs)
    if kind == "quiet":
        return noise
    if kind == "wandering":  # what slowed one run slows the next one, too
        drift = chance.normal(0, 1, runs)
        for place in range(1, runs):
            drift[place] = 0.95 * drift[place - 1] + math.sqrt(1 - 0.95**2) * drift[place]
        return noise + 2 * spread * drift
    if kind == "warming up":
        return noise + 10 * spread * np.exp(-np.arange(runs) / 4)
    if kind == "getting slower":
        return noise + spread * np.arange(runs) / 4
    if kind == "second is faster":
        return noise - 2 * spread * (np.arange(runs) % 2)
    assert kind == "outliers"
    return noise + np.where(chance.random(runs) < 0.1, 10 * spread, 0)


def simulated(chance, kind, spread, effects):
    """A gate's decision; the candidate of each series is slower by that effect, on the same machine."""
    slow = [machine(chance, kind, spread) for _ in effects]
    turned = int(chance.integers(2))
    made = itertools.count()

    def block():
        number = next(made)
        first, second = (of_pair := (2 * number, 2 * number + 1))
        base, other = (second, first) if (number + turned) % 2 else of_pair
        pairs = zip(slow, effects, strict=True)
        return {str(place): math.exp(one[base] - one[other] - effect) for place, (one, effect) in enumerate(pairs)}

    return decide(RULES, block, never)


def shares(kind, spread, effects, gates=GATES):
    """How often each verdict comes."""
    chance = np.random.default_rng(15)
    found = [simulated(chance, kind, spread, effects).verdict for _ in range(gates)]
    return {verdict: found.count(verdict) / gates for verdict in ("not slower", "slower", "inconclusive")}


KINDS = ("quiet", "wandering", "warming up", "getting slower", "second is faster", "outliers")


@pytest.mark.parametrize("series", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_at_most_one_in_twenty_gates_of_the_same_code_says_slower(kind, series):
    # Wide against the margin, so that most gates go to the last look, and each look can err.
    assert shares(kind, 0.10, [0.0] * series)["slower"] <= 0.05


@pytest.mark.long
@pytest.mark.parametrize("series", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_over_many_gates(kind, series):
    assert shares(kind, 0.10, [0.0] * series, 20_000)["slower"] <= 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_slower_by_the_whole_margin_passes_no_more_often_than_three_looks_allow(kind):
    assert shares(kind, 0.03, [math.log(1.05)])["not slower"] <= 0.075


def test_ten_percent_are_found_with_a_spread_of_three():
    assert shares("quiet", 0.03, [math.log(1.10)])["slower"] >= 0.95


def test_the_same_code_passes_with_a_spread_of_three():
    assert shares("quiet", 0.03, [0.0])["not slower"] >= 0.9
