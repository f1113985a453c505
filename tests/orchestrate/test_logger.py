"""MLflow is told beside measuring: a real server behind a proxy that holds its answers back."""

from __future__ import annotations

import io
import queue
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowerexp.cluster_search import walk_of
from flowerexp.console import Screen
from flowerexp.errors import JobError, TrackingError
from flowerexp.job.results import Outcome
from flowerexp.journal.journal import Journal
from flowerexp.orchestrate import logger as module
from flowerexp.orchestrate.collect import Result
from flowerexp.orchestrate.interrupt import Interrupt
from flowerexp.orchestrate.logger import Logger
from flowerexp.sweep.resume import Consent, resume
from tests.sweep.made import events, install, planned, run_sweep
from tests.tracking.proxy import Proxy

pytest_plugins = ["tests.tracking"]
pytestmark = pytest.mark.slow


@pytest.fixture
def proxy(mlflow_server):
    made = Proxy(mlflow_server.port)
    yield made
    made.close()


@pytest.fixture
def world(monkeypatch):
    return install(monkeypatch)


def result(number: int) -> Result:
    run: Any = SimpleNamespace(folder=Path(str(number)), label=str(number))
    return Result(run, Outcome("finished", None), None, None, None)


class TestQueue:
    @pytest.fixture
    def made(self, monkeypatch):
        """A logger whose store answers when `open` is set."""
        opened, stream = threading.Event(), io.StringIO()

        def log(run):
            begun.set()
            opened.wait(60)
            if run.label == "1":
                raise TrackingError("refused")
            if run.label == "2":
                raise KeyError("a mistake of ours")
            return f"id {run.label}"

        monkeypatch.setattr(module, "log", log)
        begun = threading.Event()
        came: queue.Queue[Any] = queue.Queue()
        beside: list[str] = []

        @contextmanager
        def aside(result):
            beside.append(f"hold for {result.run.label}")
            yield
            beside.append("let go")

        logger = Logger(came, aside, Screen(stream), Interrupt(), most=50)
        yield SimpleNamespace(logger=logger, opened=opened, begun=begun, stream=stream, beside=beside)
        opened.set()
        logger.stop()

    def test_all_are_logged_in_order_and_what_fails_costs_no_other(self, made):
        logger, opened = made.logger, made.opened
        ended: list[Result] = []

        def handle(event):
            logger.note()
            ended.append(event.result)

        for number in range(4):
            logger.add(result(number))
        opened.set()
        logger.drain(handle)
        assert [one.run_id for one in ended] == ["id 0", None, None, "id 3"]
        assert [str(one.unlogged or "") for one in ended] == [
            "", "refused", "logging to MLflow failed: KeyError: 'a mistake of ours'", ""
        ]  # fmt: skip
        assert [one.error is None for one in ended] == [True, False, False, True]
        assert made.beside[:3] == ["hold for 0", "let go", "hold for 1"]

    def test_it_waits_for_the_next_run_however_long_that_takes(self, made, monkeypatch):
        monkeypatch.setattr(module, "_PATIENCE", 0.001)
        made.opened.set()
        for number in (0, 3):
            made.logger.add(result(number))
            made.logger.drain(lambda event: made.logger.note())
            made.logger.join(0.2)
            assert made.logger.is_alive()

    def test_an_error_of_the_run_stays_its_own(self, made):
        logger, failed = made.logger, JobError("the run failed")
        ended: list[Result] = []
        for number in (1, 2):
            logger.add(replace(result(number), error=failed))
        made.opened.set()

        def handle(event):
            logger.note()
            ended.append(event.result)

        logger.drain(handle)
        assert [one.error for one in ended] == [failed, failed]
        assert all(isinstance(one.unlogged, TrackingError) for one in ended)

    def test_a_wait_at_the_end_is_said_once(self, made, monkeypatch):
        monkeypatch.setattr(module, "_PATIENCE", 0.25)
        monkeypatch.setattr(module, "_DRAIN_SECONDS", 0.5)
        said: list[str] = []

        def say(self, text):
            said.append(text)
            made.opened.set()

        monkeypatch.setattr(Screen, "say", say)
        made.logger.add(result(0))
        made.logger.drain(lambda event: made.logger.note())
        assert said == ["everything is measured; MLflow is 1 run behind"]

    def test_ctrl_c_ends_the_wait_at_the_end(self, made, monkeypatch):
        made.logger.add(result(0))
        monkeypatch.setattr(made.logger._interrupt, "_came", True)
        with pytest.raises(KeyboardInterrupt):
            made.logger.drain(pytest.fail)

    def test_says_how_far_behind_each_time_it_is_twice_as_far(self, made):
        logger, stream = made.logger, made.stream
        for number in range(20):
            logger.add(result(number))
        said = [line.split(";")[0] for line in stream.getvalue().splitlines()]
        assert said == ["MLflow is 4 runs behind", "MLflow is 8 runs behind", "MLflow is 16 runs behind"]

    def test_what_is_left_is_said_with_the_command(self, made):
        logger, opened, stream = made.logger, made.opened, made.stream
        for number in (0, 3, 4):
            logger.add(result(number))
        assert made.begun.wait(60)
        logger.stop()
        opened.set()  # the one under way ends, the others are not begun
        logger.leave(lambda event: logger.note(), "flowerexp resume here")
        assert stream.getvalue() == "2 runs have results that MLflow does not have yet: flowerexp resume here\n"

    def test_ctrl_c_ends_a_wait_for_room(self, made, monkeypatch):
        logger = made.logger
        monkeypatch.setattr(logger._interrupt, "_came", True)
        for number in range(50):
            logger.add(result(number))
        assert made.begun.wait(60)  # one is taken out, to be logged
        logger.add(result(50))
        with pytest.raises(KeyboardInterrupt):
            logger.add(result(51))


def test_a_server_that_does_not_answer_holds_up_no_measuring(world, proxy, tmp_path, monkeypatch):
    """While the first run is being logged, all others are measured and on screen; then all are logged."""
    runs = planned(tmp_path / "sweep", tmp_path, (70, 80, 90), f"tracking.uri={proxy.uri}", "tracking.experiment=slow")
    shown: list[str] = []
    said = Screen.say

    def say(self, text):
        shown.append(text)
        if text.startswith("[1/3] finished"):
            proxy.open.clear()
        if text.startswith("[3/3] finished"):
            assert proxy.waiting.wait(60)
            assert not events(tmp_path / "sweep", "logged")
            proxy.open.set()
        said(self, text)

    monkeypatch.setattr(Screen, "say", say)
    results, _ = run_sweep(tmp_path / "sweep", runs)
    assert [result.run_id is not None for result in results] == [True] * 3
    assert len(events(tmp_path / "sweep", "logged")) == 3
    assert world.measured == [70, 80, 90]


def test_a_run_takes_few_requests_and_uploads_go_together(world, proxy, tmp_path):
    runs = planned(tmp_path / "sweep", tmp_path, (70, 80), f"tracking.uri={proxy.uri}", "tracking.experiment=few")
    run_sweep(tmp_path / "sweep", runs)
    created = [place for place, asked in enumerate(proxy.asked) if asked.endswith("runs/create")]
    first, second = created[0], created[1]
    asked = proxy.asked[first:second]
    uploads = [one for one in asked if one.startswith("PUT")]
    assert len(asked) - len(uploads) <= 5, asked
    assert proxy.at_once > 1
    assert sum("experiments/get-by-name" in one for one in proxy.asked) <= 1


def test_ctrl_c_does_not_wait_for_a_server_and_resume_logs_the_rest(world, proxy, tmp_path, monkeypatch):
    runs = planned(tmp_path / "sweep", tmp_path, (70, 80, 90), f"tracking.uri={proxy.uri}", "tracking.experiment=stop")
    said = Screen.say

    def say(self, text):
        said(self, text)
        if text.startswith("[1/3] finished"):
            proxy.open.clear()
        if text.startswith("[3/3] finished"):
            assert proxy.waiting.wait(60)
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Screen, "say", say)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(tmp_path / "sweep", runs)
    assert not any("set-experiment-tag" in one for one in proxy.asked), "nor is the summary logged"
    state = Journal(tmp_path / "sweep").read()
    assert set(state.runs.values()) == {"finished"}
    assert not state.succeeded
    proxy.open.set()
    stream = io.StringIO()
    state = resume(tmp_path / "sweep", Screen(stream), Consent(), walk_of)
    assert state.succeeded, stream.getvalue()
    assert stream.getvalue().count("logged    ") == 3
    assert world.measured == [70, 80, 90]
