"""Errors travel as the text of a traceback, and come back as what they were."""

import traceback

import pytest

from flowerexp import errors
from flowerexp.errors import DataError, FlowerexpError, QuotaError, from_traceback


class OwnError(DataError):
    """A class of a user's own."""


def text_of(error):
    return "".join(traceback.format_exception(error))


@pytest.fixture
def in_task(monkeypatch):
    """Errors are made as in a task of Spark's."""
    monkeypatch.setattr(errors, "_in_task", lambda: True)


@pytest.mark.parametrize("kind", [FlowerexpError, DataError, QuotaError, OwnError])
@pytest.mark.parametrize("parts", [{}, {"where": "a.b"}, {"where": "ü\n", "hint": '"}'}])
@pytest.mark.usefixtures("in_task")
def test_class_and_parts_survive(kind, parts):
    error = from_traceback(text_of(kind("two\nlines \u2028", **parts)))
    assert error is not None
    assert type(error) is kind
    assert (error.problem, error.where, error.hint) == ("two\nlines \u2028", parts.get("where"), parts.get("hint"))


@pytest.mark.usefixtures("in_task")
def test_a_class_that_is_not_known_here_is_a_plain_error():
    error = from_traceback(text_of(OwnError("a")).replace("OwnError", "UnknownError"))
    assert error is not None
    assert type(error) is FlowerexpError
    assert error.problem == "a"


@pytest.mark.parametrize("text", ["", "ValueError: a", "flowerexp error: nothing", "flowerexp error: [1, 2]"])
def test_anything_else_is_none_of_ours(text):
    assert from_traceback(text) is None


def test_outside_of_a_task_nothing_is_added_to_a_traceback():
    assert "flowerexp error:" not in text_of(DataError("a"))
