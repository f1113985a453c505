"""The parts of the search that are formulas, against other ways to the same number."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from flowerexp.search import Candidate, Shape
from flowerexp.search.candidate import encode
from flowerexp.search.surrogate import MEAN_SD, Evidence, Posterior, Surrogate
from tests.search.conftest import clusters

EVIDENCE = [Evidence(0, 1.0), Evidence(6, 0.2), Evidence(13, 2.0, 0.5), Evidence(6, 0.3)]


def test_each_draw_is_the_gaussian_process_of_scikit_learn():
    points = encode(clusters())
    model = Surrogate(points)
    posterior = model.posterior(EVIDENCE)
    known, values = [e.index for e in EVIDENCE], np.array([e.log_value for e in EVIDENCE])
    for draw in (0, 17, 99):
        noise = model._noise[draw] ** 2
        kernel = ConstantKernel(model._variance[draw]) * Matern(model._lengths[draw], nu=2.5)
        kernel += ConstantKernel(MEAN_SD**2)
        alpha = noise + np.array([e.extra_sd for e in EVIDENCE]) ** 2
        other = GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None).fit(points[known], values - values.mean())
        mean, sd = other.predict(points, return_std=True)
        assert posterior.mean[draw] == pytest.approx(mean + values.mean(), abs=1e-6)
        assert posterior.sd[draw] == pytest.approx(np.sqrt(sd**2 + noise), abs=1e-5)


def test_joint_samples_agree_with_the_posterior():
    model = Surrogate(encode(clusters()))
    posterior = model.posterior(EVIDENCE)
    weights, logs = model.sample(EVIDENCE, range(20), 200)
    mean = weights @ logs
    assert weights.sum() == pytest.approx(1)
    assert mean == pytest.approx((posterior.weights * posterior.mean).sum(axis=0), abs=0.1)


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
