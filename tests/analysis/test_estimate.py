import numpy as np
import pytest
import scipy.stats

from flowerexp.analysis.estimate import (
    Interval,
    grouped_quantiles,
    median_intervals,
    paired_ratio,
    stratified_rate,
)

RATE, DELAY = 500.0, 0.05  # images a second, seconds until the first batch starts to come
BATCHES = np.array([8] * 11 + [5])  # the last one is short


def simulated(trials, repetitions, jitter, seed=1):
    """A source of a known rate, measured as a read loop would: each batch takes its time, the first one longer."""
    chance = np.random.default_rng(seed)
    shape = (trials, repetitions, len(BATCHES))
    noise = {"gamma": chance.gamma(25, 1 / 25, shape), "lognormal": chance.lognormal(-0.08, 0.4, shape)}[jitter]
    batches = BATCHES / RATE * noise
    batches[..., 0] += DELAY
    images = np.full(shape[:2], BATCHES.sum())
    return images, batches.sum(axis=-1), np.full(shape[:2], BATCHES[0]), batches[..., 0]


def ideal_width(jitter, repetitions):
    """Of an interval, as a share of the rate: a batch's noise, averaged over a measurement, then over repetitions."""
    one = jitter * np.sqrt((BATCHES[1:] ** 2).sum()) / BATCHES[1:].sum()
    return 2 * scipy.stats.t.ppf(0.975, repetitions - 1) * one / np.sqrt(repetitions)


def intervals(counts, seconds):
    """The rates of trials of one cell, with the ends of their intervals."""
    found = [stratified_rate(*one, np.zeros(len(one[0]), int)) for one in zip(counts, seconds, strict=True)]
    return np.array([(one.value, one.low, one.high) for one in found]).T


@pytest.mark.parametrize(
    ("repetitions", "jitter", "deviation"),
    [(3, "gamma", 0.2), (8, "gamma", 0.2), (30, "gamma", 0.2), (8, "lognormal", 0.416)],
)
def test_a_known_rate_is_given_back_by_its_interval_in_95_of_100_trials(repetitions, jitter, deviation):
    images, seconds, first_images, first_seconds = simulated(1000, repetitions, jitter)
    rates, low, high = intervals(images - first_images, seconds - first_seconds)
    covered = np.mean((low <= RATE) & (high >= RATE))
    assert 0.92 <= covered <= 0.98
    assert np.sqrt(np.mean(((high - low) / RATE) ** 2)) == pytest.approx(ideal_width(deviation, repetitions), rel=0.1)
    assert rates.mean() == pytest.approx(RATE, rel=0.01)


def test_the_first_batch_would_spoil_the_rate_if_it_counted():
    images, seconds, _, _ = simulated(1000, 8, "gamma")
    _, low, high = intervals(images, seconds)
    assert np.mean((low <= RATE) & (high >= RATE)) < 0.01
    total = BATCHES.sum() / (BATCHES.sum() / RATE + DELAY)  # which is what the total rate is the rate of
    assert 0.92 <= np.mean((low <= total) & (high >= total)) <= 0.98


@pytest.mark.parametrize("n", [3, 5, 6, 9, 40])
def test_the_interval_of_a_median_holds_the_median(n):
    values = np.random.default_rng(2).lognormal(np.log(RATE), 0.2, (1000, n))
    middle, low, high, method = median_intervals(values)
    covered = np.mean((low <= RATE) & (high >= RATE))
    assert method == ("ranks" if n >= 6 else "student")
    assert 0.92 <= covered <= 0.99  # ranks are discrete: never less than 95 %, at most 97.9 % here, and chance
    assert np.all((low <= middle) & (middle <= high))


def test_order_statistics_are_those_of_the_tables():
    values = np.arange(1.0, 21.0)  # n = 20: the 6th and the 15th (Hahn and Meeker, table A.15)
    middle, low, high, _ = median_intervals(values)
    assert [float(middle), float(low), float(high)] == [10.5, 6, 15]


def test_a_run_of_many_cells_has_an_interval_from_repetitions_alone():
    """Cells differ ten-fold in rate, and that is no uncertainty: only what repeats is."""
    chance = np.random.default_rng(3)
    cells = np.repeat(np.arange(12), 3)
    images = np.repeat(np.linspace(6, 144, 12), 3)
    truth = images / np.repeat(np.linspace(100, 1000, 12), 3)
    found = [stratified_rate(images, truth * chance.gamma(100, 1 / 100, len(truth)), cells) for _ in range(1000)]
    rate = images.sum() / truth.sum()
    covered = np.mean([one.low <= rate <= one.high for one in found if one.low and one.high])
    assert 0.92 <= covered <= 0.98
    ideal = scipy.stats.t.ppf(0.975, 22) * 0.1 * np.sqrt((truth**2).sum()) / truth.sum()
    assert np.median([one.reach for one in found if one.reach]) == pytest.approx(ideal, rel=0.05)


def test_pairs_take_away_what_both_sides_share():
    chance = np.random.default_rng(4)
    covered = []
    for _ in range(1000):
        drift = chance.lognormal(0, 1, 5)
        one = paired_ratio(3 * drift * chance.lognormal(0, 0.05, 5), drift * chance.lognormal(0, 0.05, 5))
        assert one.low is not None
        assert one.high is not None
        assert one.high / one.low < 2
        covered.append(one.low <= 3 <= one.high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_what_is_not_repeated_has_a_value_and_no_ends():
    one = np.array([4.0])
    assert np.isnan(median_intervals(one)[2])
    assert stratified_rate(one, one, np.array([0])).low is None
    assert paired_ratio(one, one).high is None
    assert paired_ratio(one, one).reach is None


def test_cells_that_were_measured_once_are_one_stratum():
    images, seconds = np.array([10.0, 10, 10]), np.array([1.0, 1.1, 1.2])
    once = stratified_rate(images, seconds, np.arange(3))
    assert once == stratified_rate(images, seconds, np.zeros(3, int))
    assert once.low is not None


def test_equal_repetitions_have_an_interval_of_no_width():
    images = np.array([10.0, 10, 30, 30])
    found = stratified_rate(images, images / 5, np.array([0, 0, 1, 1]))
    assert (found.value, found.low, found.high) == (5, 5, 5)


def test_an_interval_says_whether_it_excludes_one_and_can_be_turned_around():
    assert not Interval(1.1, 0.9, 1.3).excludes_one
    assert Interval(2.0, 1.6, 2.5).inverse == Interval(0.5, 0.4, 0.625)
    assert Interval(4.0).inverse == Interval(0.25)


def test_quantiles_of_very_many_groups_are_those_of_each():
    count = 70_000  # more than 16 bits
    groups = np.repeat(np.arange(count)[::-1], 2)
    low, high = grouped_quantiles(np.tile([2.0, 1.0], count) + groups, groups, count, (0, 1))
    assert (low == np.arange(count) + 1).all()
    assert (high == np.arange(count) + 2).all()
