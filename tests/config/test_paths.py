"""Folders of a config: absolute, from where the command was typed; a tilde is a user's home folder."""

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from flowerexp import app
from flowerexp.app import composed
from flowerexp.config import check
from flowerexp.errors import ConfigError


@pytest.mark.parametrize("override", ["home='~nobody-here/x'", "dataset.tfrecords='~nobody-here'",
                                      "storage.prepared='~nobody-here/x'", "tracking.artifacts='~nobody-here'",
                                      "budget.prices='~nobody-here/p.yaml'", "entrypoint.script='~nobody-here/e.py'",
                                      "tracking.uri='sqlite:///~nobody-here/m.db'"])  # fmt: skip
def test_the_home_folder_of_nobody_is_refused_in_one_line(override):
    with pytest.raises(ConfigError) as caught:
        composed([override])
    message = str(caught.value)
    assert message.startswith("command line: ")
    assert override.partition("=")[0] in message
    assert "there is no home folder for ~nobody-here; write the whole path, or ./~nobody-here" in message


def test_a_folder_whose_name_begins_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert composed(["home='./~x'"]).home == str(tmp_path / "~x")


def test_files_in_the_user_s_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    made = composed(["budget.prices='~/p.yaml'", "entrypoint.script='~/e.py'"])
    assert made.budget.prices == str(tmp_path / "p.yaml")
    assert made.entrypoint.script == str(tmp_path / "e.py")


def test_a_file_of_prices_is_meant_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert composed(["budget.prices=p.yaml"]).budget.prices == str(tmp_path / "p.yaml")
    assert composed(["budget.prices=./live"]).budget.prices == str(tmp_path / "live")
    assert composed(["budget.prices=live"]).budget.prices == "live", "Google's"


def test_a_script_may_lie_below_the_folder_of_the_user_s_own_configs(tmp_path):
    (tmp_path / "entrypoint").mkdir()
    for name in ("here", "elsewhere"):
        content = f"name: {name}\nquestion: How?\nscript: {name}.py\nunit: rows\n"
        (tmp_path / "entrypoint" / f"{name}.yaml").write_text(content)
    (tmp_path / "here.py").touch()
    application = app.create(str(tmp_path))
    scripts = []
    for name in ("here", "elsewhere"):
        config = application.compose_config("config", [f"entrypoint={name}"], RunMode.RUN)
        scripts.append(check(app.without_hydra(config), app.origin_of(config)).entrypoint.script)
    GlobalHydra.instance().clear()
    assert scripts == [str(tmp_path / "here.py"), "elsewhere.py"]
