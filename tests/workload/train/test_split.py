"""The two sides of a data set: always the same, without a photograph or a copy of it on both."""

import shutil

import pytest

from flowerexp.errors import DataError
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.train.split import is_validation, split

pytestmark = pytest.mark.spark


@pytest.fixture
def sides(spark, config, tmp_path, told):
    """`sides(folder, ...)` are the names on both sides of the split of a folder."""

    def sides(folder, *overrides):
        plain = config("entrypoint=train", "dataset=folder", f"dataset.path={folder}", *overrides)
        found = split(spark, plain, list_photographs(spark, plain))
        return [[one.relative for one in side.photographs.some(99, 0)] for side in (found.training, found.validation)]

    return sides


def test_each_photograph_is_on_one_side_and_stays_there(sides, photos, told):
    training, validation = sides(photos, "entrypoint.settings.validation=0.3")
    assert len(training) + len(validation) == 40
    assert not {*training} & {*validation}
    assert validation
    assert sides(photos, "entrypoint.settings.validation=0.3") == [training, validation]  # with the looks that are kept
    part = sides(photos, "entrypoint.settings.validation=0.3", "sampling.fraction=0.6")
    assert {*part[0]} < {*training}
    assert {*part[1]} < {*validation}
    assert sides(photos, "entrypoint.settings.validation=0.3", "sampling.seed=7") != [training, validation]


def test_copies_are_on_the_side_of_the_first_one(sides, photos, tmp_path, told):
    folder = tmp_path / "copied"
    shutil.copytree(photos, folder)
    for path in sorted(photos.glob("*/*.jpg")):
        for number in range(3):
            shutil.copy(path, folder / path.parent.name / f"z-{number}-{path.name}")
    training, validation = sides(folder, "entrypoint.settings.validation=0.3")
    names = [
        {name.replace("z-0-", "").replace("z-1-", "").replace("z-2-", "") for name in side}
        for side in (training, validation)
    ]
    assert not names[0] & names[1]
    assert told.facts["copies"] == 120
    assert any("120 photographs are copies" in note for note in told.notes)


def test_one_class_is_refused_and_a_class_that_validation_lacks_is_said(sides, photos, tmp_path, told):
    one = tmp_path / "one"
    shutil.copytree(photos / "daisy", one / "daisy")
    with pytest.raises(DataError, match="all 8 photographs are of one class, 'daisy'"):
        sides(one)
    two = tmp_path / "two"
    shutil.copytree(photos / "tulips", two / "tulips")
    lone = next(
        path
        for path in sorted((photos / "roses").iterdir())
        if not is_validation(f"roses/{path.name}", {"seed": 42}, 0.4)
    )
    (two / "roses").mkdir()
    shutil.copy(lone, two / "roses")
    sides(two, "entrypoint.settings.validation=0.4")
    assert "validation has no photographs of roses: the accuracy says nothing of it" in told.notes


def test_a_side_without_photographs_is_refused(sides, photos):
    with pytest.raises(DataError, match="no photographs are left for validation") as caught:
        sides(photos, "entrypoint.settings.validation=0.0001")
    assert caught.value.where == "entrypoint.settings.validation"
