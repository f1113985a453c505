"""Which folder of the user's own configs is taken, by every command; and where a script is looked for."""

import json

import pytest

from flowerexp import app, cli
from flowerexp.analysis.report.gather import _typed
from flowerexp.config.places import config_folder, flags_for, own_folder, passed_over, using
from flowerexp.errors import ConfigError
from flowerexp.job.bundle import find_script

DECLARATION = "name: {0}\nquestion: How fast is {0}?\nscript: {0}.py\nunit: steps\n"


def write(folder, name):
    """An experiment in a config folder."""
    (folder / "entrypoint").mkdir(parents=True, exist_ok=True)
    (folder / "entrypoint" / f"{name}.yaml").write_text(DECLARATION.format(name))
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with three config folders that could be taken."""
    for name in ("conf", "of_variable", "named"):
        write(tmp_path / name, f"in_{name}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWEREXP_CONFIG", raising=False)
    return tmp_path


class TestPrecedence:
    def test_the_command_line_then_the_variable_then_conf(self, here, monkeypatch):
        assert own_folder() == here / "conf"
        monkeypatch.setenv("FLOWEREXP_CONFIG", "of_variable")
        assert own_folder() == here / "of_variable"
        with using("named"):
            assert own_folder() == here / "named"
            assert own_folder("conf") == here / "conf"
        assert own_folder() == here / "of_variable"

    def test_an_empty_variable_means_none(self, here, monkeypatch):
        monkeypatch.setenv("FLOWEREXP_CONFIG", "")
        assert own_folder() is None

    def test_a_conf_with_a_main_config_is_taken_only_if_it_is_named(self, here):
        (here / "conf" / "config.yaml").write_text("defaults: [model: resnet]\n")
        assert own_folder() is None
        assert "--config-dir conf" in str(passed_over())
        with pytest.raises(ConfigError, match=r"there is no entrypoint=in_conf; .*conf/ here has a config.yaml"):
            app.composed(["entrypoint=in_conf"])
        with using("conf"):
            assert own_folder() == here / "conf"

    def test_in_the_checkout_conf_is_the_shipped_one(self, monkeypatch):
        monkeypatch.delenv("FLOWEREXP_CONFIG", raising=False)
        monkeypatch.chdir(config_folder().parent)
        assert own_folder() is None
        assert passed_over() is None

    @pytest.mark.parametrize(("named", "where"), [("nowhere", "--config-dir"), ("", "--config-dir"), (None, "CONFIG")])
    def test_what_is_not_a_folder_is_refused(self, here, monkeypatch, named, where):
        monkeypatch.setenv("FLOWEREXP_CONFIG", "nowhere")
        with using(named), pytest.raises(ConfigError, match=f"{where}: .* is not a folder; name the one with"):
            own_folder()


@pytest.mark.parametrize(
    "words",
    [
        ["--config-dir", "named", "plan", "entrypoint=in_named", "--json"],
        ["plan", "--json", "--config-dir=named", "entrypoint=in_named"],
        ["plan", "entrypoint=in_named", "--json", "-cd", "named"],
    ],
)
def test_the_flag_may_stand_anywhere(here, capsys, words):
    (here / "in_named.py").write_text("")
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["entrypoint"] == "in_named"
    assert own_folder() == here / "conf"  # it held for that command alone


class TestScript:
    @pytest.mark.parametrize("place", ["conf/entrypoint", "conf", "."])
    def test_is_found_beside_its_yaml_and_above_from_any_folder(self, here, monkeypatch, place):
        script = here / place / "in_conf.py"
        script.write_text("")
        (here / "elsewhere").mkdir()
        monkeypatch.chdir(here / "elsewhere")
        found = app.composed(["entrypoint=in_conf"], "../conf").entrypoint.script
        assert find_script(found).samefile(script)

    def test_a_shipped_one_keeps_its_name(self, here):
        assert app.composed(["entrypoint=aggregate"]).entrypoint.script == "spark_entry/aggregate.py"


def test_a_report_knows_which_configs_a_run_had(here, monkeypatch):
    (here / "hydra.yaml").write_text(
        "hydra: {overrides: {task: [a=1]}, runtime: {cwd: /x/y, config_sources: [{path: /x/z/conf, provider: own}]}}"
    )
    typed = _typed(here / "hydra.yaml")
    assert typed.configs
    assert (typed.overrides, flags_for(typed.configs, typed.folder)) == (["a=1"], ["--config-dir", "../z/conf"])
    assert _typed(here / "nothing.yaml").overrides == ()
