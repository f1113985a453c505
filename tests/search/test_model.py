"""The parts of the search that are formulas, against other ways to the same number."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from flowerexp.search import Candidate, SearchSettings, Shape
from flowerexp.search.candidate import Space, encode
from flowerexp.search.surrogate import KEPT, LEVEL_SD, SHAPE_SHARE, Evidence, Posterior, Surrogate
from flowerexp.search.trials import Trials
from tests.search.conftest import clusters

EVIDENCE = [Evidence(0, 1.0), Evidence(6, 0.2), Evidence(13, 2.0), Evidence(6, 0.3)]


def space(candidates: Sequence[Candidate]) -> Space:
    return Trials(candidates, SearchSettings()).space


def test_each_draw_is_the_gaussian_process_of_scikit_learn():
    """But for its mean, for the cliff, and for what the clusters of one shape share; without these, they agree."""
    seen = space(clusters())
    model = Surrogate(seen)
    model._alike[:] = 0
    model._draws = replace(model._draws, cliff=0 * model._draws.cliff)
    posterior, given = model.posterior(EVIDENCE), model._condition(EVIDENCE, KEPT)
    assert len(given.weights) > 20
    known = [each.index for each in EVIDENCE]
    for place in (0, 7, 20):
        draws = given.draws.take(np.array([place]))
        noise = draws.noise[0] ** 2
        kernel = ConstantKernel(draws.variance[0]) * Matern(draws.shrink[0] ** -0.5, nu=2.5)
        kernel += ConstantKernel(LEVEL_SD**2)
        known_mean = draws.mean[0] + seen.log_prices + model._level(EVIDENCE)
        values = np.array([each.log_value for each in EVIDENCE]) - known_mean[known]
        alpha = (1 - SHAPE_SHARE) * noise
        other = GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None).fit(seen.points[known], values)
        mean, sd = other.predict(seen.points, return_std=True)
        assert posterior.mean[place] == pytest.approx(mean + known_mean, abs=1e-4)
        assert posterior.sd[place] == pytest.approx(np.sqrt(sd**2 + noise), abs=1e-3)


def test_a_bound_is_the_truncated_normal():
    """One exact observation and one bound: the moments are those of sampling from the first and keeping what passes."""
    model = Surrogate(space(clusters()))
    exact, bound = Evidence(0, 1.0), Evidence(6, 0.9, exact=False)
    given = model._condition([exact, bound], KEPT)
    posterior = model.posterior([exact, bound])
    rng = np.random.default_rng(0)
    for place in (0, 20):
        one = given.draws.take(np.array([place]))
        covariance = model._kernel(one, [0, 6], [0, 6])[0] + (1 - SHAPE_SHARE) * one.noise[0] ** 2 * np.eye(2)
        gain = covariance[0, 1] / covariance[0, 0]
        mean = one.mean[0] + model._log_prices + model._level([exact, bound])
        middle = mean[6] + gain * (1.0 - mean[0])
        sd = np.sqrt(covariance[1, 1] - gain * covariance[0, 1])
        drawn = middle + sd * rng.standard_normal(400_000)
        kept = drawn[drawn >= 0.9]
        across = model._kernel(one, [6], [0, 6])[0]
        to_next = (across @ np.linalg.inv(covariance))[0]  # a repeat of the bounded run, by both runs
        wanted = mean[6] + to_next[0] * (1.0 - mean[0]) + to_next[1] * (kept.mean() - mean[6])
        assert posterior.mean[place, 6] == pytest.approx(wanted, abs=0.01)


def test_joint_samples_agree_with_the_posterior(monkeypatch):
    monkeypatch.setattr("flowerexp.search.surrogate.SAMPLED", KEPT)
    model = Surrogate(space(clusters()))
    posterior = model.posterior(EVIDENCE)
    weights, logs = model.sample(EVIDENCE, range(20), 200)
    mean = weights @ logs
    assert weights.sum() == pytest.approx(1)
    assert mean == pytest.approx((posterior.weights * posterior.mean).sum(axis=0), abs=0.1)


def test_the_prior_is_the_work_of_amdahl_and_ernest():
    """Seconds fall with the cores, but by less than the cores grow; so a larger cluster costs more."""
    sizes = [Candidate(str(nodes), Shape(4, 16, nodes), 0.2 * nodes) for nodes in (2, 4, 8, 16)]
    seconds = Surrogate(space(sizes)).prior() - np.log([0.2 * nodes / 3600 for nodes in (2, 4, 8, 16)])
    assert (np.diff(seconds) < 0).all()
    assert (np.diff(seconds) > -np.log(2) - 0.6).all()


@pytest.fixture
def mixture():
    weights = np.array([[0.3], [0.7]])
    return Posterior(weights, np.array([[0.0, 1.0], [0.5, 2.0]]), np.array([[0.5, 0.1], [0.2, 1.0]]))


@pytest.fixture
def drawn(mixture):
    rng = np.random.default_rng(0)
    which = rng.choice(2, 400_000, p=mixture.weights[:, 0])
    return np.exp(mixture.mean[which] + mixture.sd[which] * rng.standard_normal((400_000, 2)))


def test_expectations_agree_with_sampling(mixture, drawn):
    ceiling = np.array([1.2, np.inf])
    kept = drawn <= np.minimum(1.5, ceiling)
    assert mixture.gain(1.5, ceiling) == pytest.approx(((1.5 - drawn) * kept).mean(axis=0), abs=3e-3)
    assert mixture.spend(np.array([1.0, 4.0])) == pytest.approx(np.minimum(drawn, [1.0, 4.0]).mean(axis=0), rel=5e-3)
    assert mixture.spend(np.full(2, np.inf)) == pytest.approx(drawn.mean(axis=0), rel=2e-2)
    assert mixture.chance(np.array([1.2, 5.0])) == pytest.approx((drawn <= [1.2, 5.0]).mean(axis=0), abs=3e-3)
    for q in (0.05, 0.5, 0.95):
        assert mixture.quantile(q) == pytest.approx(np.quantile(drawn, q, axis=0), rel=2e-2)


def test_encoding_scales_and_drops_what_tells_nothing_apart():
    shapes = [Shape(2, 8, 2, "n2", "ssd"), Shape(2, 8, 4, "n2", "hdd"), Shape(2, 8, 8, "e2", "hdd")]
    points = encode([Candidate(str(index), shape) for index, shape in enumerate(shapes)])
    # total vCPUs, total memory (vCPUs a node and memory a vCPU are constant), n2 (e2 is the first), ssd (hdd is)
    assert points.tolist() == [[0, 0, 1, 1], [0.5, 0.5, 1, 0], [1, 1, 0, 0]]


def test_an_estimate_of_memory_moves_the_cliff_and_may_be_wrong():
    """Most draws have their cliff near what the job needs; out of reach of all candidates, most have none."""
    seen = space(clusters())
    order = np.argsort(seen.memory_gb)

    def cliffs(needs_gb: float | None) -> np.ndarray:
        steps = np.diff(Surrogate(seen, 0, needs_gb)._draws.cliff[:, order] > 0, axis=1)
        return np.asarray((steps * (seen.memory_gb[order][1:] / 40)).sum(axis=1))  # where it is, in units of 40 GB

    plain, told, beyond = (cliffs(gb) for gb in (None, 40.0, 4000.0))
    near = [np.mean((where > 0.5) & (where < 2)) for where in (plain, told, beyond)]
    assert near[1] > 1.5 * near[0]
    assert np.mean(told > 2) > 0.02, "it may be wrong"
    assert np.mean(beyond == 0) > 0.75 > np.mean(plain == 0) > 0.2
    assert 0 < near[2] < near[0]
