"""Which baseline is meant: runs in MLflow by id, by tag and by branch, and the code that they were made with."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from flowerexp.app import composed
from flowerexp.config import plain
from flowerexp.errors import FlowerexpError
from flowerexp.gate.asked import Request, ask
from flowerexp.gate.sides import sides
from flowerexp.job.bundle import Bundle
from flowerexp.tracking import default_store, ensure
from flowerexp.tracking.client import connect
from tests.gate.experiment import change, commit, git, make

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository of two commits, and an empty store: making that takes seconds."""
    folder = tmp_path_factory.mktemp("asked")
    make(folder / "repository")
    ensure(default_store(folder / "home"))
    return folder


@pytest.fixture
def repository(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "repository")
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path / "home"))
    return tmp_path / "repository"


@pytest.fixture
def logged(repository, tmp_path):
    """Log a run of the experiment, as it would be made there now; gives its run_id."""
    store = default_store(tmp_path / "home")
    started = iter(range(1000, 2000))

    def logged(verdict="valid", status="FINISHED", name="steps", **tags):
        client = connect(store)
        run_id = client.create_run(ensure(store), start_time=next(started)).info.run_id
        config = plain(composed(["entrypoint=steps"], str(repository / "mine")))
        client.log_text(run_id, yaml.safe_dump(json.loads(json.dumps(config))), "config.yaml")
        client.log_param(run_id, "entrypoint.name", name)
        found = {
            "flowerexp.verdict": verdict,
            "mlflow.source.git.commit": git(repository, "rev-parse", "HEAD"),
            "git_dirty": "false",
            "code_hash": Bundle(repository / "mine" / "steps.py").code_hash,
        }
        for key, value in (found | tags).items():
            if value is not None:
                client.set_tag(run_id, key, value)
        client.set_terminated(run_id, status)
        return run_id

    return logged


def newer(repository, seconds="0.011"):
    """One more commit, with another pace."""
    before = git(repository, "rev-parse", "HEAD")
    change(repository, "SECONDS = 0.01", f"SECONDS = {seconds}")
    commit(repository)
    return before


class TestARun:
    def test_gives_its_config_to_both_sides_and_its_commit_to_the_baseline(self, repository, logged):
        run_id = logged()
        before = newer(repository)
        asked = ask(Request(run_id[:8], ["grid.distance=[5]", "gate.repeats=7", "tracking.experiment=flowerexp"]))
        assert asked.commit == before
        assert asked.run
        assert asked.run.run_id == run_id
        assert asked.config.gate.repeats == 7
        assert [*asked.config.grid["distance"]] == [5]
        with sides(asked) as (base, candidate):
            assert base.words[:3] == ("rerun", run_id, "tracking.experiment=flowerexp")
            (script,) = base.words[3:]
            assert "flowerexp-gate-" in script
            assert script.endswith("/mine/steps.py'")
            assert candidate.words == ("rerun", run_id, "grid.distance=[5]", "tracking.experiment=flowerexp")

    def test_with_uncommitted_changes_is_said(self, repository, logged):
        assert "was made with uncommitted changes" in ask(Request(logged(git_dirty="true"))).notes[0]

    def test_of_the_same_code_needs_no_commit(self, repository, logged):
        run_id = logged(**{"mlflow.source.git.commit": None})
        asked = ask(Request(run_id, ["entrypoint.settings.noise=0.5"]))
        assert asked.commit is None
        with sides(asked) as (base, candidate):
            assert base.code == candidate.code
            assert base.words == ("rerun", run_id)

    @pytest.mark.parametrize(
        ("recorded", "said"),
        [
            (None, "does not say on which commit it was made, and the code here is another"),
            ("1" * 40, "commit 1111111111, on which run"),
        ],
    )
    def test_whose_code_cannot_be_had_is_refused(self, repository, logged, recorded, said):
        run_id = logged(**{"mlflow.source.git.commit": recorded, "code_hash": "another"})
        with pytest.raises(FlowerexpError, match=said):
            ask(Request(run_id))

    def test_takes_no_group(self, repository, logged):
        run_id = logged()
        with pytest.raises(FlowerexpError, match="grid=quick chooses a config"):
            ask(Request(run_id, ["grid=quick"]))

    def test_that_has_the_name_of_a_branch_has_to_be_told_apart(self, repository, logged):
        run_id = logged()
        git(repository, "branch", run_id[:6])
        with pytest.raises(FlowerexpError, match=f"write run:{run_id[:6]} or commit:{run_id[:6]}"):
            ask(Request(run_id[:6]))
        assert ask(Request(f"run:{run_id[:6]}")).run
        assert ask(Request(f"commit:{run_id[:6]}", ["entrypoint=steps"], "mine")).run is None


class TestATag:
    def test_is_that_of_the_newest_finished_run(self, repository, logged):
        logged(release="1.0")
        newest = logged(release="1.0")
        logged(release="1.0", status="FAILED")
        logged(release="2.0")
        run = ask(Request("tag:release=1.0")).run
        assert run
        assert run.run_id == newest

    @pytest.mark.parametrize("words", ["tag:release=3.0", "tag:release='x'", "tag:a`b=1", "tag:release"])
    def test_that_no_run_has_is_refused(self, repository, words):
        with pytest.raises(FlowerexpError, match=r"no finished run in .* has the tag|cannot be read"):
            ask(Request(words))


class TestTheLastValid:
    OWN = (["entrypoint=steps"], "mine")

    def test_is_the_newest_commit_of_the_branch_with_a_valid_run_without_changes(self, repository, logged):
        logged()
        before = newer(repository)
        last = logged()
        of_last = git(repository, "rev-parse", "HEAD")
        logged(git_dirty="true")
        logged("suspect")
        logged(name="another")
        logged(status="FAILED")
        logged(**{"mlflow.source.git.commit": "2" * 40})
        git(repository, "switch", "--quiet", "--create", "topic", before)
        change(repository, "SECONDS = 0.01", "SECONDS = 0.02")
        of_topic = commit(repository)
        logged()
        asked = ask(Request("last-valid@main", *self.OWN))
        assert (asked.commit, asked.run) == (of_last, None)
        assert last[:8] in asked.said
        assert ask(Request("last-valid", *self.OWN)).commit == of_topic
        assert ask(Request(f"last-valid@{before}", *self.OWN)).commit == before

    def test_may_be_missing(self, repository, logged):
        logged("suspect")
        with pytest.raises(FlowerexpError, match=r"no valid run of steps that was made on a commit of main"):
            ask(Request("last-valid@main", *self.OWN))


def test_flowerexp_itself_is_taken_out_of_its_own_commit(repository, monkeypatch, tmp_path):
    """A shipped experiment lies in flowerexp's repository: then the baseline's launcher is the commit's, too."""
    from flowerexp.gate import sides as module

    package = repository / "flowerexp"
    package.mkdir()
    (package / "__init__.py").write_text("")
    commit(repository)
    change(repository, "SECONDS = 0.01", "SECONDS = 0.012")
    monkeypatch.setattr(module, "PACKAGE", package)
    with sides(ask(Request("main", ["entrypoint=steps"], "mine"))) as (base, candidate):
        assert candidate.code == repository
        assert base.code.parent.name.startswith("flowerexp-gate-")
        assert (base.code / "flowerexp" / "__init__.py").is_file()
