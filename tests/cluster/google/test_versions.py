"""Versions of images and runtimes: what Google supports, and what jobs can run on."""

import datetime

import pytest

from flowerexp.cluster.google import versions
from flowerexp.cluster.kind import kind_of
from flowerexp.errors import ConfigError
from tests.cluster.configs import made
from tests.composing import composed

DAY = datetime.date(2026, 11, 26)


def notes(*overrides, day=DAY):
    return [*kind_of(made(*overrides).cluster).notes(day)]


def check(*overrides):
    config = composed(["gcp.project=p", "dataset=folder", "dataset.path=gs://photos/flowers", *overrides])
    kind_of(config.cluster).check(config)


@pytest.mark.parametrize("cluster", ["single_node", "four_nodes", "serverless"])
def test_the_defaults_are_supported(cluster):
    assert notes(f"cluster={cluster}") == []


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ((2026, 6, 1), None),
        ((2026, 7, 2), "the support of runtime 2.2 ends on 2026-09-30; supported now: 1.2, 2.2, 2.3, 3.0"),
        ((2026, 9, 30), "the support of runtime 2.2 ends on 2026-09-30; supported now: 1.2, 2.2, 2.3, 3.0"),
        ((2026, 10, 1), "runtime 2.2 has had no support since 2026-09-30; supported now: 2.3, 3.0"),
        ((2028, 10, 1), "Google names 2028-09-30 as the last day of runtime 2.2; supported now: "),
    ],
)
def test_the_end_of_support_is_told_before_and_after(day, said):
    found = notes("cluster=serverless", "cluster.runtime_version='2.2'", day=datetime.date(*day))
    assert found == ([] if said is None else [said])


def test_what_is_special_of_a_runtime_is_told():
    found = notes("cluster=serverless", "cluster.runtime_version='3.0'")
    assert any("Cloud Logging" in note for note in found)
    assert any("dataprocrm.googleapis.com" in note for note in found)


@pytest.mark.parametrize(
    ("overrides", "problem", "hint"),
    [
        (
            ["cluster=single_node", "cluster.image_version=2.1-debian11"],
            "image 2.1-debian11 has Python 3.10",
            "2.2, 2.3",
        ),
        (["cluster=single_node", "cluster.image_version=2.2.72-debian12"], "withdrawn image 2.2.72", "2.2-debian12"),
        (
            ["cluster=single_node", "cluster.image_version=9.1"],
            "the Python of image 9.1 is not known",
            "packages=image",
        ),
        (["cluster=serverless", "cluster.runtime_version='9.9'"], "the Python of runtime 9.9 is not known", "2.3, 3.0"),
    ],
)
def test_a_version_that_cannot_work_is_refused_before_anything_is_created(overrides, problem, hint):
    with pytest.raises(ConfigError, match=r"cluster\.(image|runtime)_version") as caught:
        check(*overrides)
    assert problem in caught.value.problem
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "overrides",
    [
        ["cluster=single_node", "cluster.image_version=9.1", "cluster.packages=image"],
        ["cluster=serverless", "cluster.runtime_version='9.9'", "cluster.container=some/image"],
        ["cluster=single_node", "cluster.image_version=2.2.73-debian12"],
    ],
)
def test_an_unknown_version_that_brings_its_packages_is_taken(overrides):
    check(*overrides)


@pytest.mark.parametrize(
    ("what", "version", "python"),
    [("image", "2.2-debian12", "3.11"), ("image", "3.0.2-debian13", "3.12"), ("runtime", "2.3", "3.11")],
)
def test_packages_are_staged_for_the_python_of_the_version(what, version, python):
    assert versions.python_of(what, version) == python
