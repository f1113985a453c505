"""What a run reports: seconds of phases, lines for the user, files."""

import itertools
import json
import time

import pytest

from flowerexp.workload import report


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden"])
def test_only_plain_names_can_be_attached(name):
    with pytest.raises(ValueError, match="not a plain file name"):
        report.attach(name, b"")


class TestReport:
    @pytest.fixture
    def clock(self, monkeypatch):
        """A clock that goes on by ten seconds whenever it is looked at."""
        now = itertools.count(0, 10**10)
        monkeypatch.setattr(time, "perf_counter_ns", lambda: next(now))

    def test_phases_entered_twice_add_up(self, told, clock):
        for _ in range(2):
            with report.phase("list"):
                assert told.phase == "list"
        assert told.phases == {"list": 20.0}
        assert told.phase == ""

    def test_of_a_phase_in_another_one_each_second_counts_once(self, told, clock):
        with report.phase("prepare"), report.phase("list"):
            pass
        with report.phase("prepare"), report.phase("prepare"), report.phase("prepare.files"), report.phase("list"):
            pass
        assert told.phases == {"list": 20.0, "prepare": 80.0, "prepare.files": 20.0}

    def test_but_a_part_counts_for_the_whole_too(self, told, clock):
        with report.phase("measure"), report.phase("measure.rows"):
            pass
        assert told.phases == {"measure.rows": 10.0, "measure": 30.0}

    @pytest.mark.parametrize(
        ("phases", "failed"), [(("measure", "measure.rows"), "measure"), (("prepare", "list"), "list")]
    )
    def test_the_phase_that_failed_is_the_outermost_of_a_whole_and_its_parts(self, told, phases, failed):
        outer, inner = phases
        with pytest.raises(ZeroDivisionError), report.phase(outer), report.phase(inner):
            raise ZeroDivisionError
        assert told.failed_phase == failed

    def test_a_phase_that_fails_is_timed_too(self, told):
        with pytest.raises(ZeroDivisionError), report.phase("list"):
            raise ZeroDivisionError
        assert "list" in told.phases
        assert told.phase == ""

    def test_a_note_is_one_line_of_output_whatever_it_holds(self, told, capsys):
        report.note("two\nlines and ü\u2028")
        (line,) = capsys.readouterr().out.split("\n")[:-1]
        assert json.loads(line) == {"flowerexp": {"run_key": "test", "note": "two\nlines and ü\u2028"}}
