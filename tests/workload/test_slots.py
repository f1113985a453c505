"""Slots: never more measurements at once on a host than the config says, also across processes."""

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowerexp.errors import MachineError
from flowerexp.job.follow import progress_of
from flowerexp.workload import report, slots

HOLDER = """
import sys
from pathlib import Path
from flowerexp.workload import slots
with slots.slot(int(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    input()
print("freed", flush=True)
"""


@pytest.fixture
def hold(tmp_path):
    """Let a process of its own take a slot; returns it, when it holds one, unless `wait` is False."""
    processes = []

    def hold(concurrency, wait=True):
        command = [sys.executable, "-c", HOLDER, str(concurrency), str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        if wait:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def free(folder, concurrency):
    """How many slots nobody holds."""
    with ExitStack() as stack:
        return sum(map(slots._try, slots._open(stack, concurrency, folder)))


class TestSlot:
    @pytest.mark.parametrize("concurrency", [1, 2, 3])
    def test_as_many_processes_hold_one_as_may(self, hold, tmp_path, concurrency):
        for held in range(concurrency):
            assert free(tmp_path, concurrency) == concurrency - held
            hold(concurrency)
        assert free(tmp_path, concurrency) == 0

    @pytest.mark.parametrize("end", ["leaves", "is killed"])
    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_is_free_when_its_holder_leaves_or_is_killed(self, hold, tmp_path, concurrency, end):
        *_, last = [hold(concurrency) for _ in range(concurrency)]  # whichever slot is released is taken
        waiting = hold(concurrency, wait=False)
        if end == "leaves":
            last.stdin.write("\n")
            last.stdin.flush()
        else:
            os.kill(last.pid, signal.SIGKILL)
        assert waiting.stdout.readline() == "held\n"
        assert free(tmp_path, concurrency) == 0

    @pytest.mark.parametrize("concurrency", [1, 2, 3])
    def test_never_more_at_once_and_everybody_s_turn_comes(self, tmp_path, concurrency):
        inside, most, lock = itertools.count(), [0], threading.Lock()
        now = [0]

        def measure(_):
            with slots.slot(concurrency, tmp_path) as waited:
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                next(inside)
                os.sched_yield()
                with lock:
                    now[0] -= 1
            return waited

        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(measure, range(40)))
        assert next(inside) == 40
        assert 1 <= most[0] <= concurrency
        assert all(wait >= 0 for wait in waits)

    def test_is_given_back_after_a_failure(self, tmp_path):
        with pytest.raises(ZeroDivisionError), slots.slot(1, tmp_path):
            raise ZeroDivisionError
        assert free(tmp_path, 1) == 1

    def test_waiting_is_told(self, tmp_path, monkeypatch):
        times = iter([10.0, 12.5])
        monkeypatch.setattr(time, "perf_counter", lambda: next(times))
        with slots.slot(1, tmp_path) as waited:
            assert waited == 2.5


class TestAllSlots:
    def test_nothing_is_measured_meanwhile(self, hold, tmp_path):
        with slots.all_slots(2, tmp_path):
            assert free(tmp_path, 2) == 0
            waiting = hold(2, wait=False)
        assert waiting.stdout.readline() == "held\n"

    def test_waits_for_whoever_measures(self, hold, tmp_path):
        holder = hold(2)
        entered = threading.Event()

        def take():
            with slots.all_slots(2, tmp_path):
                entered.set()

        thread = threading.Thread(target=take)
        thread.start()
        assert not entered.is_set()
        holder.stdin.write("\n")
        holder.stdin.flush()
        thread.join()
        assert entered.is_set()

    @pytest.mark.parametrize("held", [0, 1])
    def test_with_patience_takes_a_moment_when_nothing_is_measured(self, tmp_path, monkeypatch, held):
        with ExitStack() as holder, ExitStack() as nobody_else:
            with ExitStack() as others:
                for _ in range(held):
                    others.enter_context(slots.slot(2, tmp_path))
                holder.enter_context(slots.slot(2, tmp_path))
            seen = []

            def pause(seconds):
                assert seconds > 0
                seen.append(free(tmp_path, 2))  # the other slot is free: measurements can go on meanwhile
                if len(seen) == 3:
                    holder.close()

            monkeypatch.setattr(time, "sleep", pause)
            nobody_else.enter_context(slots.all_slots(2, tmp_path, patience=3600.0))
            assert seen == [1, 1, 1]
            assert free(tmp_path, 2) == 0


class TestTelling:
    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_whoever_waits_says_for_whom(self, hold, tmp_path, monkeypatch, concurrency):
        monkeypatch.setattr(slots, "_NOTIFY_SECONDS", 0.0)
        holders = [hold(concurrency) for _ in range(concurrency)]
        told: list[str] = []

        def tell(text):
            told.append(text)
            holders[-1].stdin.write("\n")  # whichever slot is released is taken
            holders[-1].stdin.flush()

        with slots.slot(concurrency, tmp_path, tell):
            assert len(told) == 1
        assert all(f"{holder.pid} (python" in told[0] for holder in holders)
        assert "waiting for process" in told[0]

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_who_takes_all_slots_names_others_only(self, hold, tmp_path, monkeypatch, concurrency):
        monkeypatch.setattr(slots, "_NOTIFY_SECONDS", 0.0)
        with ExitStack() as first:
            for _ in range(concurrency - 1):
                first.enter_context(slots.slot(concurrency, tmp_path))
            holder = hold(concurrency)  # the last slot: all others are taken before this one is waited for
        told: list[str] = []

        def tell(text):
            told.append(text)
            holder.stdin.write("\n")
            holder.stdin.flush()

        with slots.all_slots(concurrency, tmp_path, notify=tell):
            assert f"process {holder.pid}" in told[0]
            assert str(os.getpid()) not in re.findall(r"\d+", told[0])

    def test_a_holder_that_is_not_known_is_another_process(self, tmp_path, monkeypatch):
        monkeypatch.setattr(slots, "_NOTIFY_SECONDS", 0.0)
        told: list[str] = []
        with ExitStack() as holder:
            holder.enter_context(slots.slot(1, tmp_path))  # this process, which is not named

            def tell(text):
                told.append(text)
                holder.close()

            with slots.slot(1, tmp_path, tell):
                assert told[0].startswith("waiting for another process, which measures")

    def test_a_program_is_named_whatever_its_name_and_if_it_is_still_there(self):
        own = Path("/proc/self/comm")
        before = own.read_bytes()
        try:
            own.write_bytes(b"\xffspark")
            assert slots._program(str(os.getpid())) == " (\ufffdspark)"
        finally:
            own.write_bytes(before)
        assert slots._program("0") == ""

    def test_after_a_short_wait_nothing_is_said(self, hold, tmp_path):
        holder = hold(1)
        release = threading.Timer(0.0, lambda: (holder.stdin.write("\n"), holder.stdin.flush()))
        release.start()
        with slots.slot(1, tmp_path, pytest.fail):
            timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
            assert all(timer.finished.is_set() for timer in timers if timer is not release)
        release.join()

    def test_a_free_slot_is_no_news(self, tmp_path, monkeypatch):
        monkeypatch.setattr(slots, "_NOTIFY_SECONDS", 0.0)
        with slots.slot(1, tmp_path, pytest.fail):
            pass
        with slots.all_slots(2, tmp_path, notify=pytest.fail):
            pass

    def test_a_worker_s_words_are_a_note_on_screen(self, capsys):
        report.remark("waiting for process 1")
        message = progress_of(capsys.readouterr().out.strip())
        assert message is not None
        assert message["note"] == "waiting for process 1"


class TestFolder:
    """Where another user was faster, in a temporary folder that all can write to."""

    @pytest.fixture
    def shared(self, tmp_path, monkeypatch):
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(shared))
        return shared / f"flowerexp-slots-{os.getuid()}"

    def test_a_link_in_the_place_of_a_lock_changes_no_file(self, shared, tmp_path):
        (tmp_path / "victim").write_text("precious")
        slots.folder()
        (shared / "slot-0.lock").symlink_to(tmp_path / "victim")
        with (
            pytest.raises(MachineError, match=r"slot-0.lock is not a file that flowerexp has created; remove it"),
            slots.slot(1),
        ):
            pass
        assert (tmp_path / "victim").read_text() == "precious"

    def test_a_lock_keeps_what_stands_in_its_file(self, shared):
        slots.folder()
        (shared / "slot-0.lock").write_text("precious")
        with slots.slot(1):
            assert (shared / "slot-0.lock").read_text() == "precious"

    def test_a_link_in_the_place_of_the_folder_is_refused(self, shared, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        shared.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(MachineError, match=f"{shared} is a link that belongs to user {os.getuid()}; remove it"):
            slots.folder()

    def test_a_folder_that_others_can_write_to_is_refused(self, shared):
        shared.mkdir()
        shared.chmod(0o770)
        with pytest.raises(MachineError, match=f"other users can write to {shared}"):
            slots.folder()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")
    def test_a_folder_of_another_user_is_refused_and_named(self, shared):
        shared.mkdir(mode=0o700)
        os.chown(shared, 54321, 54321)
        with pytest.raises(MachineError, match=f"{shared} belongs to user 54321"):
            slots.folder()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")
    def test_a_lock_of_another_user_is_refused_and_not_waited_for(self, shared):
        slots.folder()
        (shared / "slot-0.lock").touch()
        os.chown(shared / "slot-0.lock", 54321, 54321)
        with pytest.raises(MachineError, match=r"slot-0\.lock is not a file that flowerexp has created"), slots.slot(1):
            pass


def test_the_folder_is_the_user_s_own_and_the_same_for_all_their_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    folder = slots.folder()
    assert folder == slots.folder()
    assert folder.parent == tmp_path
    assert str(os.getuid()) in folder.name
    assert folder.stat().st_mode & 0o077 == 0
