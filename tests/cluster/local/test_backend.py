"""Spark in a child process: its properties, how its output is followed, and that nothing of it outlives a stop."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowerexp.cluster import JobFiles, environment, java, process, spark_submit
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.local.backend import LocalBackend
from flowerexp.cluster.local.config import Local
from flowerexp.errors import MachineError
from flowerexp.job.follow import progress_of


@pytest.fixture
def files(tmp_path):
    """A job's files in a folder whose name has a space; none of them exist."""
    folder = tmp_path / f"a job {uuid.uuid4().hex[:8]}"  # a job is found by its folder's name; other tests run, too
    folder.mkdir()
    return JobFiles(folder, folder / "script.py", folder / "bundle.zip", folder / "job.json")


def cluster(**changes):
    return LocalBackend(replace(Local(kind="local", cores=3, memory="512m"), **changes))


class TestProperties:
    def test_the_config_s_own_win(self, files):
        own = {
            "spark.ui.enabled": True,
            "spark.driver.memory": "2g",
            "spark.local.dir": "/scratch",
            "spark.task.cpus": 2,
        }
        properties = cluster(spark=own).properties(files)
        assert properties["spark.ui.enabled"] == "true"
        assert properties["spark.driver.memory"] == "2g"
        assert properties["spark.local.dir"] == "/scratch"
        assert properties["spark.task.cpus"] == "2"
        assert properties["spark.master"] == "local[3]"

    def test_nothing_disturbs_a_measurement_and_nothing_listens_to_the_world(self, files):
        properties = cluster().properties(files)
        assert properties["spark.speculation"] == "false"
        assert properties["spark.dynamicAllocation.enabled"] == "false"
        assert properties["spark.driver.host"] == properties["spark.driver.bindAddress"] == "127.0.0.1"

    def test_the_event_log_can_be_read_offline(self, files):
        properties = cluster().properties(files)
        assert properties["spark.eventLog.rolling.enabled"] == properties["spark.eventLog.compress"] == "false"
        assert properties["spark.eventLog.dir"] == (files.folder / "events").as_uri()
        assert " " not in properties["spark.eventLog.dir"]

    def test_all_cores_unless_the_config_says_how_many(self, monkeypatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 3, 5})
        assert Local(kind="local").tasks_at_once == 4
        assert Local(kind="local", cores=1).tasks_at_once == 1

    def test_nested_keys_of_the_command_line_are_properties_too(self, files, config):
        made = config("+cluster.spark.spark.local.dir=/scratch", "+cluster.spark.spark.ui.enabled=true")
        properties = LocalBackend(made.cluster).properties(files)
        assert properties["spark.local.dir"] == "/scratch"
        assert properties["spark.ui.enabled"] == "true"
        assert all(isinstance(value, str) and not value.startswith("{") for value in properties.values())


class TestCheck:
    def test_no_java_is_found_before_anything_starts(self, monkeypatch):
        def none():
            raise MachineError("no Java")

        monkeypatch.setattr(java, "find", none)
        with pytest.raises(MachineError, match="no Java"):
            cluster().check()

    def test_no_spark(self, monkeypatch):
        monkeypatch.setattr(sys, "path", [])
        with pytest.raises(MachineError, match="PySpark is not installed; run: pip install"):
            spark_submit.spark_home()

    def test_the_kind_chooses_the_backend(self):
        assert isinstance(kind_of(Local(kind="local")).backend(), LocalBackend)


class TestHome:
    """The SPARK_HOME of jobs, without the zip of PySpark's sources."""

    @pytest.fixture
    def own(self, monkeypatch, tmp_path):
        """Where this user's files lie: a folder that cannot be made, and one that can."""
        (tmp_path / "a file").touch()
        folders = [tmp_path / "a file" / "cache", tmp_path / "cache"]
        monkeypatch.setattr(java, "own_folders", lambda: folders)
        return folders

    def test_python_finds_the_installed_pyspark_and_not_its_sources_in_a_zip(self, own):
        for _ in range(2):
            home = spark_submit.shared_home()
        assert home.parent == own[1]
        installed = spark_submit.spark_home()
        assert all((home / name).samefile(installed / name) for name in ("bin", "jars"))
        assert not (home / "python").exists()

    def test_each_installation_has_its_own(self, own, monkeypatch, tmp_path):
        first = spark_submit.shared_home()
        monkeypatch.setattr(spark_submit, "spark_home", lambda: tmp_path / "another" / "pyspark")
        assert spark_submit.shared_home() != first

    def test_half_of_one_is_made_whole(self, own):
        home = spark_submit.shared_home()
        (home / "jars").unlink()
        assert (spark_submit.shared_home() / "jars").exists()

    def test_without_a_place_for_it_the_installed_one_serves(self, own):
        del own[1]
        assert spark_submit.shared_home() == spark_submit.spark_home()


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    """A shell in which nothing is set that a job does not get."""
    for name in environment.DROPPED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def submit(files, monkeypatch, tmp_path):
    """Submit a Python program in the place of `spark-submit`; what was started is stopped when the test ends."""
    home = tmp_path / "spark"
    (home / "bin").mkdir(parents=True)
    submissions = []

    def submit(program, **changes):
        path = home / "bin" / "spark-submit"
        path.write_text(f"#!{sys.executable}\nimport json, os, signal, subprocess, sys, time\n{program}\n")
        path.chmod(0o755)
        submissions.append(cluster(**changes).submit(files))
        return submissions[-1]

    monkeypatch.setattr(spark_submit, "spark_home", lambda: home)
    monkeypatch.setattr(java, "own_folders", lambda: [tmp_path / "cache"])
    monkeypatch.setattr(java, "find", lambda: java.Java(Path("/a/java"), "PATH"))
    monkeypatch.setattr(process, "_STOP_SECONDS", 0.3)
    yield submit
    for submission in submissions:
        submission.stop()


def lines_until(submission, wanted):
    """All lines up to the one wanted."""
    lines: list[str] = []
    while wanted not in lines:
        new, code = submission.poll()
        lines += new
        assert code is None or wanted in lines
    return lines


def ended(submission):
    """All lines to the end, and the exit code."""
    lines, code = [], None
    while code is None:
        new, code = submission.poll()
        lines += new
    return lines, code


class TestSubmit:
    def test_the_command_and_its_environment(self, submit, files, monkeypatch):
        monkeypatch.setenv("SPARK_HOME", "/another/spark")
        monkeypatch.setenv("SPARK_CONF_DIR", "/another/conf")
        program = "print(json.dumps(sys.argv[1:])); print(json.dumps(dict(os.environ)))"
        submission = submit(program, spark={"spark.local.dir": "/a b"})
        note, *printed = ended(submission)[0]
        arguments, variables = map(json.loads, printed)
        assert arguments == [
            *("--properties-file", str(files.folder / "spark.properties"), "--py-files", str(files.bundle)),
            *(str(files.script), "--job", str(files.job)),
        ]
        assert "spark.local.dir=/a\\u0020b\n" in (files.folder / "spark.properties").read_text()
        assert variables["JAVA_HOME"] == "/a/java"
        assert variables["PYSPARK_PYTHON"] == variables["PYSPARK_DRIVER_PYTHON"] == sys.executable
        assert (Path(variables["SPARK_HOME"]) / "bin").samefile(spark_submit.spark_home() / "bin")
        assert "SPARK_CONF_DIR" not in variables
        told = progress_of(note)
        assert told is not None
        assert "SPARK_HOME, SPARK_CONF_DIR (belongs to another Spark installation)" in told["note"]

    def test_no_other_user_can_read_its_properties_and_they_go_when_it_has_ended(self, submit, files):
        (files.folder / "spark.properties").touch(0o644)
        secret = {"spark.hadoop.fs.azure.account.key.a.dfs": "hunter2"}
        submission = submit("print(open('/proc/self/cmdline').read()); sys.stdin.read()", spark=secret)
        lines, _ = ended(submission)
        assert "hunter2" not in "".join(lines)
        assert (files.folder / "spark.properties").stat().st_mode & 0o777 == 0o600
        assert "hunter2" in (files.folder / "spark.properties").read_text()
        submission.collect()
        assert not (files.folder / "spark.properties").exists()

    def test_returns_the_exit_code(self, submit):
        assert ended(submit("print('last words'); sys.exit(3)")) == (["last words"], 3)

    def test_everything_it_prints_is_kept_in_the_driver_s_log(self, submit, files):
        ended(submit("print('out', flush=True); print('err', file=sys.stderr)"))
        assert (files.folder / "driver.log").read_text() == "out\nerr\n"

    def test_it_has_nothing_to_wait_for_on_its_input(self, submit):
        assert ended(submit("sys.exit(len(sys.stdin.read()))")) == ([], 0)


class TestPoll:
    @pytest.fixture
    def running(self, tmp_path):
        """A submission whose process and log are the test's own."""

        class Process:
            code = None

            def poll(self):
                return self.code

        log = tmp_path / "driver.log"
        log.write_bytes(b"")
        child: Any = Process()
        submission = process.LocalSubmission(os.getpid(), log, child)
        yield submission, child, log.open("ab", buffering=0).write
        submission._log.close()

    def test_gives_whole_lines_only(self, running):
        submission, _, write = running
        assert submission.poll() == ([], None)
        write(b"one\ntw")
        assert submission.poll() == (["one"], None)
        assert submission.poll() == ([], None)
        write("o\nthree é".encode()[:-1])  # also in the middle of a character
        assert submission.poll() == (["two"], None)
        write("é".encode()[-1:] + b"\n")
        assert submission.poll() == (["three é"], None)

    def test_gives_the_last_line_without_a_newline_after_the_end(self, running):
        submission, process, write = running
        write(b"one\ntwo")
        process.code = 1
        assert submission.poll() == (["one", "two"], 1)
        assert submission.poll() == ([], 1)

    def test_a_line_that_came_in_parts_is_whole_after_the_end(self, running):
        submission, process, write = running
        write(b"on")
        submission.poll()
        write(b"e")
        process.code = 0
        assert submission.poll() == (["one"], 0)

    def test_bytes_that_are_no_text_do_no_harm(self, running):
        submission, _, write = running
        write(b"\xff\xfe!\n")
        assert submission.poll()[0][0].endswith("!")


def alive(pid):
    """Does a process run? One that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
PARENT = """
{own}
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
print("ready", flush=True)
time.sleep(600)
"""


class TestStop:
    @pytest.mark.parametrize("own", ["", STUBBORN], ids=["child gives in", "child ignores SIGTERM"])
    @pytest.mark.parametrize("child", ["", STUBBORN], ids=["grandchild gives in", "grandchild ignores SIGTERM"])
    def test_ends_the_child_and_what_it_started(self, submit, own, child):
        grandchild = f"import signal, time; {child or 'pass'}; print('ready', flush=True); time.sleep(600)"
        submission = submit(PARENT.format(own=own, child=grandchild))
        pid = int(lines_until(submission, "ready")[0])
        assert alive(pid)
        submission.stop()
        assert not alive(submission.handle["pid"])
        deadline = time.monotonic() + 60
        while alive(pid):  # a signal was sent; it takes the kernel a moment
            assert time.monotonic() < deadline

    def test_is_polite_first(self, submit, tmp_path, monkeypatch):
        monkeypatch.setattr(process, "_STOP_SECONDS", 60.0)
        program = (
            f"def leave(*_):\n    open({str(tmp_path / 'goodbye')!r}, 'w').close()\n    sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, leave)\n"
            "print('ready', flush=True); time.sleep(600)"
        )
        submission = submit(program)
        lines_until(submission, "ready")
        submission.stop()
        assert submission.poll()[1] == 0
        assert (tmp_path / "goodbye").exists()

    def test_is_harmless_after_the_end_and_twice(self, submit):
        submission = submit("print('done')")
        ended(submission)
        submission.stop()
        submission.stop()
        assert submission.poll() == ([], 0)

    def test_ctrl_c_reaches_the_launcher_alone(self, submit):
        submission = submit("print('ready', flush=True); time.sleep(600)")
        lines_until(submission, "ready")
        pid = submission.handle["pid"]
        assert os.getpgid(pid) == pid != os.getpgrp()


class TestFind:
    """A job whose launcher is no more is found again by its handle."""

    @pytest.fixture
    def orphan(self, files, tmp_path):
        """A job that waits for its input, a named pipe, and whose launcher was killed; returns its handle."""
        (tmp_path / "bin").mkdir()
        os.mkfifo(tmp_path / "pipe")
        submitter = tmp_path / "bin" / "spark-submit"
        submitter.write_text(f"#!/bin/sh\necho ready\nread line < '{tmp_path}/pipe'\nprintf 'read %s' \"$line\"\n")
        submitter.chmod(0o755)
        program = (
            "import json, sys\n"
            "from pathlib import Path\n"
            "from flowerexp.cluster import JobFiles, java, spark_submit\n"
            "from flowerexp.cluster.local.backend import LocalBackend\n"
            "from flowerexp.cluster.local.config import Local\n"
            "home, folder = map(Path, sys.argv[1:])\n"
            "spark_submit.spark_home = lambda: home\n"
            "java.own_folders = lambda: [home / 'cache']\n"
            "java.find = lambda: java.Java(home, 'PATH')\n"
            "job = LocalBackend(Local(kind='local', cores=1))\n"
            "print(json.dumps(job.submit(JobFiles(folder, home, home, home)).handle), flush=True)\n"
            "input()"
        )
        command = [sys.executable, "-c", program, tmp_path, files.folder]
        launcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert launcher.stdout
        handle = json.loads(launcher.stdout.readline())
        launcher.kill()
        launcher.communicate()
        yield handle
        if alive(handle["pid"]):
            os.kill(handle["pid"], signal.SIGKILL)

    def test_it_outlives_its_launcher_and_is_followed_to_its_end(self, orphan, files, tmp_path):
        found = cluster().find(files.folder, orphan)
        assert found is not None
        assert found.handle == orphan
        assert lines_until(found, "ready") == ["ready"]
        assert alive(orphan["pid"])
        intended = cluster().handle(files.folder, files.scope)  # all that a launcher wrote down that died too early
        assert cluster().find(files.folder, intended).handle == orphan
        (tmp_path / "pipe").write_text("it\n")
        assert ended(found) == (["read it"], 0)  # nobody tells a stranger the exit code: the results say how it went
        assert (files.folder / "spark.properties").exists()
        assert cluster().find(files.folder, orphan) is None
        assert cluster().find(files.folder, intended) is None
        assert cluster().find(files.folder, cluster().handle(files.folder, "another")) is None
        assert not (files.folder / "spark.properties").exists()

    def test_it_can_be_stopped(self, orphan, files, monkeypatch):
        monkeypatch.setattr(process, "_STOP_SECONDS", 0.3)
        found = cluster().find(files.folder, orphan)
        assert found is not None
        found.stop()
        ended(found)
        assert not alive(orphan["pid"])

    def test_another_process_that_got_its_number_is_left_alone(self, orphan, files):
        assert cluster().find(files.folder, {**orphan, "start_time": orphan["start_time"] - 1}) is None
        assert alive(orphan["pid"])
