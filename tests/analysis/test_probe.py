"""The speed of a run's host, by the probes beside its measurements."""

import math

import numpy as np
import pytest
from scipy import stats

from flowerexp.analysis import probe
from flowerexp.analysis.probe import HostSpeed, doubt, relative
from tests.analysis.rows import row, table


def host_speed(measurements) -> HostSpeed:
    """The speed of a run that has enough probes."""
    found = probe.host_speed(measurements)
    assert found is not None
    return found


def run(probes, **more):
    """A run whose measurements had these probes, one after the other; its rows are not in that order."""
    rows = [
        row(repetition=place, probe_seconds=each, started_at=float(place), **more)
        for place, each in enumerate(probes, start=1)
    ]
    return table(rows[::2] + rows[1::2])


def noise(count, level=0.002, deviation=0.1, seed=0):
    return level * np.exp(np.random.default_rng(seed).normal(0, deviation, count))


def test_the_level_and_its_error_are_those_of_the_logarithms():
    probes = noise(30)
    speed = host_speed(run(probes))
    assert speed.level == pytest.approx(np.log(probes).mean())
    assert speed.error == pytest.approx(stats.sem(np.log(probes)))
    assert speed.spread == pytest.approx(np.log(probes).std(ddof=1))
    halves = np.log(probes[:15]), np.log(probes[15:])
    assert speed.change == pytest.approx(math.exp(halves[0].mean() - halves[1].mean()) - 1)
    assert speed.chance == pytest.approx(stats.ttest_ind(*halves, equal_var=False).pvalue)


def test_a_host_that_becomes_slower_is_a_doubt():
    probes = np.concatenate([noise(12), noise(12, level=0.003, seed=1)])
    speed = host_speed(run(probes))
    assert speed.change == pytest.approx(2 / 3 - 1, abs=0.05)
    share = f"{-speed.change:.0%}"
    assert doubt(speed) == (
        f"the host was {share} slower in the second half of the run, by the probe beside each measurement"
    )
    assert "faster in the second half" in str(doubt(host_speed(run(probes[::-1]))))


@pytest.mark.parametrize(
    "probes",
    [noise(24), np.concatenate([noise(400), noise(400, level=0.00212, seed=1)]), noise(8, deviation=0.3, seed=3)],
    ids=["the same", "a little slower", "few and noisy"],
)
def test_what_is_small_or_chance_is_none(probes):
    assert doubt(host_speed(run(probes))) is None


def test_few_probes_say_nothing():
    assert probe.host_speed(run(noise(7))) is None
    assert probe.host_speed(table([row(repetition=place) for place in range(1, 30)])) is None
    assert doubt(None) is None


def test_probes_that_agree_exactly_have_no_error():
    speed = host_speed(run([0.002] * 10))
    assert (speed.error, speed.change) == pytest.approx((0.0, 0.0))
    assert doubt(speed) is None


def test_later_executions_do_not_count():
    probes = noise(20)
    again = [row(probe_seconds=9.0, execution=2, repetition=place) for place in range(1, 21)]
    whole = table([*run(probes).rows(), *again])
    assert host_speed(whole).level == pytest.approx(np.log(probes).mean())


def test_hosts_of_different_speeds_are_no_change_and_no_spread():
    slow, fast = run(noise(20, level=0.004), host="a").rows(), run(noise(20, seed=1), host="b").rows()
    both = host_speed(table([one | {"started_at": one["started_at"] + 100} for one in slow] + fast))
    assert both.spread == pytest.approx(0.1, rel=0.3)
    assert doubt(both) is None


def test_how_much_faster_another_host_was():
    base, other = host_speed(run(noise(50, level=0.004))), host_speed(run(noise(50, level=0.002, seed=1)))
    found = relative(base, other)
    assert found.excludes_one
    assert found.value == pytest.approx(2.0, rel=0.05)
    assert relative(other, base).value == pytest.approx(1 / found.value)
    same = relative(base, base)
    assert not same.excludes_one
