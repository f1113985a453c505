"""The file of Java's classes: which one is used, and that it appears whole or not at all."""

import os
import shlex
import subprocess
import sys

import pytest

from flowerexp.cluster import java, spark_submit
from flowerexp.cluster.local import archive, make_archive

WRITE = """
properties = open(sys.argv[sys.argv.index("--properties-file") + 1]).read().splitlines()
(option,) = (each for each in properties if "extraJavaOptions" in each)
aside = option.partition("ArchiveClassesAtExit")[2].encode().decode("unicode_escape").strip("='")
open(aside, "w").write("classes")
open(STARTED, "a").write("once ")
"""


@pytest.fixture
def spark(monkeypatch, tmp_path):
    """An installed Spark with one jar, and a `spark-submit` that a test writes; the user's folder has a space."""
    home = tmp_path / "spark"
    (home / "bin").mkdir(parents=True)
    (home / "jars").mkdir()
    (home / "jars" / "a.jar").write_text("a")
    real = java.find()
    monkeypatch.setattr(java, "own_folders", lambda: [tmp_path / "my cache"])
    monkeypatch.setattr(java, "find", lambda: real)
    monkeypatch.setattr(spark_submit, "spark_home", lambda: home)
    return home


@pytest.fixture
def made(spark, monkeypatch, tmp_path):
    """Make the file with a program in the place of `spark-submit`, and a Java that has an archive of its own."""
    (tmp_path / "java" / "lib" / "server").mkdir(parents=True)
    (tmp_path / "java" / "lib" / "server" / "classes.jsa").touch()
    monkeypatch.setattr(java, "find", lambda: java.Java(tmp_path / "java", "PATH"))

    def made(program):
        path = spark / "bin" / "spark-submit"
        path.write_text(f"#!{sys.executable}\nimport sys\nSTARTED = {str(spark / 'started')!r}\n{program}\n")
        path.chmod(0o755)
        return make_archive.make()

    return made


def put(content):
    path = archive.place()
    path.parent.mkdir(exist_ok=True)
    file = path.with_name(f"{path.name}-{len(content)}.jsa")
    file.write_bytes(content)
    return file


def files():
    return list(archive.place().parent.glob("[!s]*")) + list(archive.place().parent.glob(".*"))


class TestFind:
    def test_without_one_java_is_told_nothing(self, spark):
        assert archive.options() == ""

    def test_one_is_named_to_java(self, spark):
        file = put(b"classes")
        assert f"-XX:SharedArchiveFile={file}" in shlex.split(archive.options())

    def test_one_that_was_cut_off_is_none(self, spark):
        file = put(b"classes")
        file.write_bytes(b"clas")
        assert archive.options() == ""

    def test_other_jars_have_another(self, spark):
        put(b"classes")
        os.utime(spark / "jars" / "a.jar", (1, 1))
        assert archive.find() is None

    def test_java_ignores_a_foreign_one_without_a_word(self, spark):
        put(os.urandom(5000))
        command = [str(java.find().home / "bin" / "java"), *shlex.split(archive.options()), "-version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == ""
        assert "arn" not in done.stderr.replace("Learn", "")


class TestMake:
    def test_once(self, made, spark):
        assert made(WRITE)
        assert made(WRITE)
        found = archive.find()
        assert found is not None
        assert found.read_text() == "classes"
        assert files() == [found]
        assert (spark / "started").read_text() == "once "

    def test_a_job_that_fails_leaves_nothing(self, made):
        assert not made(WRITE + "sys.exit(1)")
        assert files() == []

    def test_a_java_that_writes_none_is_no_error(self, made):
        assert not made("")
        assert files() == []

    def test_a_java_without_its_own_is_not_asked(self, made, tmp_path):
        (tmp_path / "java" / "lib" / "server" / "classes.jsa").unlink()
        assert not made("sys.exit('started')")
