"""Tables as text: whole where they fit, and in parts on a narrow screen."""

import io

import pytest

from flowerexp.text_table import text_table, width_of

ROWS = [
    ["run", "state", "tfrecords steady images/s", "values"],
    ["0", "finished", "3,175", "caching=true preprocess.shards=16 repeat=1"],
    ["11", "failed", "-", "caching=false preprocess.shards=2 grid.batch_size=64 repeat=1"],
]


def test_a_table_that_fits_is_in_one_part():
    assert text_table(ROWS[:1] + [[*row[:3], "x"] for row in ROWS[1:]], right=(2,)).splitlines() == [
        "run  state     tfrecords steady images/s  values",
        "0    finished                      3,175  x",
        "11   failed                            -  x",
    ]


@pytest.mark.parametrize("width", [20, 50, 80])
def test_a_wide_table_fits_the_screen_and_nothing_of_it_is_lost(width):
    text = text_table([*ROWS, "... 7 more ..."], right=(2,), width=width)
    assert max(map(len, text.splitlines())) <= width
    for row in ROWS:
        for word in " ".join(row).split():
            assert word in text or len(word) > width // 2
    assert "... 7 more ..." in text


def test_each_part_has_the_first_column():
    parts = text_table(ROWS, width=50).split("\n\n")
    assert len(parts) == 2
    assert [part.splitlines()[0].split()[0] for part in parts] == ["run", "run"]
    assert parts[1].splitlines()[-2:] == [
        "11   caching=false preprocess.shards=2",
        "     grid.batch_size=64 repeat=1",
    ]


def test_the_width_is_that_of_a_terminal_or_of_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of(io.StringIO()) == 0
    monkeypatch.setenv("COLUMNS", "50")
    assert width_of(io.StringIO()) == 50
    assert max(map(len, text_table(ROWS).splitlines())) <= 50
