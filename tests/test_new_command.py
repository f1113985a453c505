"""`flowerexp new`: what it makes, where, and that it overwrites nothing."""

import pytest

from flowerexp import cli
from flowerexp.app import composed
from flowerexp.job.bundle import find_script
from flowerexp.sweep.forecast import forecast


@pytest.fixture
def new(tmp_path, monkeypatch, capsys):
    """Call `flowerexp new WORDS`; returns its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWEREXP_CONFIG", raising=False)
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path))

    def new(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main(["new", *words])
        return ended.value.code, "".join(capsys.readouterr())

    return new


def made(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_makes_a_project_that_plans_at_once(new, tmp_path, monkeypatch):
    code, out = new("sorting")
    assert code == 0
    assert out.splitlines()[-3:-1] == ["run it    cd sorting", "          flowerexp entrypoint=sorting"]
    files = made(tmp_path / "sorting")
    assert all(f"sorting/{name}\n" in out for name in files)
    assert not [name for name, text in files.items() if "NAME" in text or "CONF" in text]
    assert len(files["README.md"].splitlines()) <= 10
    monkeypatch.chdir(tmp_path / "sorting")
    assert find_script(composed(["entrypoint=sorting"]).entrypoint.script) == tmp_path / "sorting" / "sorting.py"
    assert len(forecast(["experiment=sorting_caching"], multirun=False).items) == 2
    compile(files["test_sorting.py"], "test_sorting.py", "exec")


def test_adds_to_the_project_in_which_it_is_typed(new, tmp_path, monkeypatch):
    new("first")
    monkeypatch.chdir(tmp_path / "first")
    (tmp_path / "first" / "README.md").write_text("mine")
    code, out = new("second")
    assert code == 0
    assert "README.md" not in out
    assert {"conf/entrypoint/first.yaml", "conf/entrypoint/second.yaml", "second.py"} <= {*made(tmp_path / "first")}
    assert (tmp_path / "first" / "README.md").read_text() == "mine"


def test_makes_it_in_the_folder_that_is_named(new, tmp_path):
    assert new("sorting", "some/where")[0] == 0
    assert (tmp_path / "some" / "where" / "conf" / "grid" / "sorting.yaml").exists()


def test_overwrites_nothing(new, tmp_path):
    (tmp_path / "sorting").mkdir()
    (tmp_path / "sorting" / "sorting.py").write_text("mine")
    code, out = new("sorting")
    assert (code, out) == (1, "flowerexp: command line: sorting/sorting.py exists already; choose another name\n")
    assert made(tmp_path) == {"sorting/sorting.py": "mine"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Read-Fast", "small letters, digits and _, a letter first; write read_fast"),
        ("../x", "small letters, digits and _, a letter first; write x"),
        ("9", "small letters, digits and _, a letter first; choose another name"),
        ("class", "small letters, digits and _, a letter first; choose another name"),
        ("read_speed", "flowerexp has an experiment read_speed"),
        ("json", "json is an installed Python module"),
        ("numpy", "numpy is an installed Python module"),
    ],
)
def test_a_name_that_cannot_be_is_refused(new, tmp_path, name, said):
    code, out = new(name)
    assert code == 1
    assert out.count("\n") == 1
    assert said in out
    assert made(tmp_path) == {}


def test_another_applications_configs_are_left_alone(new, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("")
    assert "another Hydra application" in new("sorting", ".")[1]
    assert new("sorting")[0] == 0
    assert (tmp_path / "sorting" / "conf").is_dir()
