"""The report's section on runs that measured until it was known."""

import pytest

from flowerexp.analysis.report.gather import load
from flowerexp.analysis.report.spent import section, spent_of
from tests.analysis.rows import row
from tests.analysis.sweeps import config, write_run

UNTIL = {"until": 0.05, "until_seconds": 60.0}


def rows(**more):
    """A cell that is known after 6 measurements, one that is not after 12, one that was stopped; and a later action."""
    steady = [row(size=2, repetition=place, seconds=1.0 + 0.001 * place) for place in range(1, 7)]
    noisy = [row(size=4, repetition=place, seconds=2.0 + place % 2) for place in range(1, 13)]
    again = [one | {"execution": 2, "seconds": 50.0} for one in steady]
    stopped = row(size=8, seconds=9.0, censored=True, images=None)
    return [*steady, *noisy, *again, stopped]


@pytest.fixture
def made(tmp_path):
    """`made(measure)`: the section of a run with this `measure`, and the run."""

    def made(**measure):
        chosen = config({})
        chosen["measure"] |= measure
        facts = {"until_stopped": "the budget is spent"}
        folder = write_run(tmp_path / "one", chosen, rows=rows(), facts=facts)
        material = load(folder)
        return section(material), material.measured[0]

    return made


def test_each_cell_with_what_was_spent_and_reached_the_widest_first(made):
    found, run = made(**UNTIL)
    cells = {cell.at["batch_size"]: cell for cell in spent_of(run, run.config.entrypoint)}
    assert {size: (cell.repetitions, cell.seconds) for size, cell in cells.items()} == {
        2: (6, pytest.approx(6.021)), 4: (12, pytest.approx(30.0)), 8: (0, 0.0),
    }  # fmt: skip
    assert cells[2].reach < 0.05 < cells[4].reach < cells[8].reach
    (table,) = found.tables
    assert table.head == ["run", "reader", "batch size", "batch number", "measurements", "seconds", "interval"]
    assert [line[2] for line in table.rows] == ["8", "4", "2"]
    assert table.rows[0][4:] == ["0", "0", "not known"]
    assert table.rows[2][4:] == ["6", "6.02", f"± {cells[2].reach:.1%}"]


def test_the_sentence_names_what_stayed_wide_and_why(made):
    text = made(**UNTIL)[0].text[0]
    assert text.startswith(
        "1 of 3 cells are known to 5 %, by 18 measurements of 36 s in all; 83% of these seconds went"
    )
    assert "into reader=tfrecords, batch_size=4, batch_number=3. These stayed wider (the budget is spent): " in text
    assert text.endswith(
        "reader=tfrecords, batch_size=8, batch_number=3; reader=tfrecords, batch_size=4, batch_number=3."
    )


def test_a_run_without_a_goal_has_no_section(made):
    assert not made(until=None)[0]
