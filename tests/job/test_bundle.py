"""What is shipped: the same bytes for the same code, and enough of it to run without the rest of flowerexp."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import flowerexp
from flowerexp.config.places import entry_folder
from flowerexp.errors import ConfigError
from flowerexp.job import bundle
from flowerexp.job.bundle import Bundle, find_script


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of flowerexp's code to change, and a script beside it."""
    copied = tmp_path / "flowerexp"
    shutil.copytree(Path(flowerexp.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(bundle, "PACKAGE", copied)
    (tmp_path / "script.py").write_text("print('hello')\n")
    return copied


def shipped(package):
    return Bundle(package.parent / "script.py")


class TestBytes:
    def test_the_same_code_gives_the_same_bytes_at_any_time(self, package):
        before = shipped(package)
        content, code_hash = before.content, before.code_hash
        for path in package.rglob("*.py"):
            os.utime(path, (1, 1))
            path.chmod(0o600)
        assert shipped(package).content == content
        assert shipped(package).code_hash == code_hash

    def test_an_archive_holds_what_the_cluster_needs_and_nothing_more(self, package, tmp_path):
        names = zipfile.ZipFile(shipped(package).write(tmp_path)).namelist()
        assert {f"flowerexp/workload/read_speed/{name}" for name in ("measuring.py", "accelerators.yaml")} <= {*names}
        assert len(names) == len(set(names))
        for name in names:
            inside = name.removeprefix("flowerexp/")
            assert inside.startswith(("workload/", "storage/")) or inside in ("__init__.py", "errors.py")
            assert name.endswith((".py", ".yaml"))

    def test_it_is_written_under_a_name_made_of_its_hash(self, package, tmp_path):
        path = shipped(package).write(tmp_path / "job")
        assert path == tmp_path / "job" / f"flowerexp-{shipped(package).code_hash}.zip"
        assert path.read_bytes() == shipped(package).content


class TestHash:
    @pytest.mark.parametrize(
        ("file", "matters"),
        [
            ("../script.py", True),
            ("workload/engine/measurement.py", True),
            ("storage/__init__.py", True),
            ("storage/remote.py", True),
            ("cli.py", False),
            ("analysis/plots.py", False),
            ("workload/notes.txt", False),
        ],
    )
    def test_changes_with_what_a_job_runs(self, package, file, matters):
        before = shipped(package).code_hash
        with (package / file).open("a") as changed:
            changed.write("# changed\n")
        assert (shipped(package).code_hash != before) == matters

    def test_changes_with_a_new_module_and_with_a_moved_one(self, package):
        hashes = [shipped(package).code_hash]
        (package / "workload" / "new.py").write_text("")
        hashes.append(shipped(package).code_hash)
        (package / "workload" / "new.py").rename(package / "workload" / "newer.py")
        hashes.append(shipped(package).code_hash)
        assert len(set(hashes)) == 3

    def test_does_not_depend_on_where_the_code_stands(self, package, tmp_path, monkeypatch):
        before = shipped(package).code_hash
        moved = tmp_path / "elsewhere" / "flowerexp"
        shutil.copytree(package, moved)
        shutil.copy(package.parent / "script.py", moved.parent)
        monkeypatch.setattr(bundle, "PACKAGE", moved)
        assert shipped(moved).code_hash == before


@pytest.mark.parametrize("name", ["read_speed", "write_shards"])
def test_the_archive_is_all_that_a_shipped_script_needs(name, tmp_path):
    script = find_script(f"spark_entry/{name}.py")
    archive = Bundle(script).write(tmp_path)
    program = (
        "import sys\n"
        # What an editable installation adds must not help: other packages are wanted, flowerexp's checkout is not.
        "sys.path = [sys.argv[1], *(p for p in sys.path if p != sys.argv[2])]\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "import runpy, flowerexp\n"
        "assert flowerexp.__file__.startswith(sys.argv[1]), flowerexp.__file__\n"
        "runpy.run_path(sys.argv[3], run_name='imported')\n"
        "mine = {n for n in sys.modules if n.startswith('flowerexp.')}\n"
        "print(*sorted({n.split('.')[1] for n in mine}))\n"
    )
    checkout = str(Path(flowerexp.__file__).resolve().parents[1])
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program, archive, checkout, script],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert set(answer.stdout.split()) <= {"errors", "storage", "workload"}


class TestFindScript:
    def test_the_user_s_own_comes_before_a_shipped_one_of_its_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert find_script("spark_entry/read_speed.py") == entry_folder() / "read_speed.py"
        (tmp_path / "spark_entry").mkdir()
        (tmp_path / "spark_entry" / "read_speed.py").write_text("")
        assert find_script("spark_entry/read_speed.py") == tmp_path / "spark_entry" / "read_speed.py"

    def test_by_absolute_path_and_from_home(self, tmp_path, monkeypatch):
        (tmp_path / "mine.py").write_text("")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert find_script(str(tmp_path / "mine.py")) == find_script("~/mine.py") == tmp_path / "mine.py"

    @pytest.mark.parametrize("name", ["nothing.py", "spark_entry", "/"])
    def test_what_is_no_file_is_refused_by_its_key(self, name):
        with pytest.raises(
            ConfigError,
            match=rf"^entrypoint\.script: there is no script {name}; give its path, or put it beside its YAML file",
        ):
            find_script(name)
