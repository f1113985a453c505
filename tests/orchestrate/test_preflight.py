"""What is looked at before a run's first side effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowerexp import tracking
from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.local.kind import LocalKind
from flowerexp.errors import ClusterError, ConfigError, DataError, MachineError, QuotaError
from flowerexp.orchestrate.preflight import preflight, preflight_each


class Cloud:
    """What was looked at, in order; nobody is asked, in truth."""

    on_this_host = False

    def __init__(self):
        self.seen = []
        self.refusal = None

    def check(self):
        self.seen.append("backend")
        if self.refusal:
            raise self.refusal


@pytest.fixture
def cloud(monkeypatch):
    made = Cloud()
    for kind in (LocalKind, DataprocKind):
        monkeypatch.setattr(kind, "backend", lambda self: made)
        monkeypatch.setattr(kind, "check", lambda self, config: made.seen.append(f"kind of {config.cluster.name}"))
    monkeypatch.setattr(tracking, "check_reachable", lambda store: made.seen.append(store.uri))
    return made


class TestOfOneRun:
    def test_its_cluster_and_its_store_are_asked(self, cloud, config):
        made = config()
        preflight(made)
        assert cloud.seen == ["kind of local", "backend", made.tracking.uri]

    def test_a_script_that_is_not_there(self, cloud, config):
        made = config()
        with pytest.raises(ConfigError, match=r"there is no script nowhere\.py"):
            preflight(replace(made, entrypoint=replace(made.entrypoint, script="nowhere.py")))
        assert cloud.seen == []

    def test_a_cluster_that_does_not_answer(self, cloud, config):
        cloud.refusal = ClusterError("no answer")
        with pytest.raises(ClusterError, match="no answer"):
            preflight(config())

    def test_a_grid_that_needs_more_photographs_than_there_are(self, cloud, config, tmp_path):
        (tmp_path / "photos" / "a").mkdir(parents=True)
        for number in range(20):
            (tmp_path / "photos" / "a" / f"{number}.jpg").touch()
        cell = ["grid.batch_size=[1,4]", "grid.batch_number=[2,5]"]
        here = ["dataset=folder", f"dataset.path={tmp_path / 'photos'}"]
        preflight(config(*here, *cell))
        (tmp_path / "photos" / "a" / "0.jpg").unlink()
        needs = "grid: batch_size 4 x batch_number 5 needs 20 images, and there are 19 at most; use more images"
        with pytest.raises(DataError, match=needs):
            preflight(config(*here, *cell))
        with pytest.raises(DataError, match=needs):  # generated ones are not there yet
            preflight(config("dataset.images=19", *cell))
        drop = "entrypoint.settings.on_short=drop"
        preflight(config(*here, *cell, drop))
        with pytest.raises(DataError, match="batch_size 20 x batch_number 1 needs 20 images, and there are 19"):
            preflight(config(*here, "grid.batch_size=[20,30]", "grid.batch_number=1", drop))

    def test_a_sample_of_the_photographs_may_be_too_few(self, cloud, config, tmp_path):
        (tmp_path / "photos" / "a").mkdir(parents=True)
        for number in range(60):
            (tmp_path / "photos" / "a" / f"{number}.jpg").touch()
        here = ["dataset=folder", f"dataset.path={tmp_path / 'photos'}", "grid.batch_size=5", "grid.batch_number=8"]
        preflight(config(*here))
        with pytest.raises(DataError, match="needs 40 images"):
            preflight(config(*here, "sampling.fraction=0.3"))
        preflight(config(*here, "sampling.fraction=0.3", "sampling.least=40"))

    def test_a_data_folder_that_is_none(self, cloud, config, tmp_path):
        (tmp_path / "photos").mkdir()
        made = config("dataset=folder", f"dataset.path={tmp_path / 'photos'}")
        preflight(made)
        (tmp_path / "photos").rmdir()
        with pytest.raises(DataError) as missing:
            preflight(made)
        assert str(missing.value) == f"dataset.path: {tmp_path / 'photos'} does not exist; check the path"
        (tmp_path / "photos").touch()
        with pytest.raises(DataError, match=r"^dataset\.path: .*photos is a file, not a folder; check the path$"):
            preflight(made)

    def test_a_folder_that_cannot_be_written(self, cloud, config, tmp_path):
        made = config()
        (tmp_path / "file").touch()
        blocked = replace(made, storage=replace(made.storage, prepared=str(tmp_path / "file" / "below")))
        with pytest.raises(MachineError) as found:
            preflight(blocked)
        assert str(found.value) == (
            f"storage.prepared: {tmp_path / 'file' / 'below'} cannot be written: Not a directory; choose another folder"
        )

    def test_folders_are_made_and_nothing_is_left_in_them(self, cloud, config, tmp_path):
        made = config()
        made = replace(made, storage=replace(made.storage, generated=str(tmp_path / "new" / "deep")))
        for _ in range(2):
            preflight(made)
            assert list((tmp_path / "new" / "deep").iterdir()) == []

    def test_buckets_are_not_looked_into(self, cloud, config, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        preflight(config("gcp.project=mine", "cluster=single_node", "quota=none", "dataset=flowers"))
        assert list(tmp_path.glob("gs:*")) == []


class TestOfASweep:
    @pytest.fixture
    def looked(self, cloud, monkeypatch):
        """The configs that were looked at."""
        looked: list[object] = []
        monkeypatch.setattr(LocalKind, "check", lambda self, config: looked.append(config))
        return looked

    def test_what_several_runs_ask_for_is_looked_at_once(self, looked, config):
        one, same = config(), config("measure.seed=7")
        others = [config("budget.usd=1"), config("dataset.images=700"), config("cluster.memory=2g"),
                  config("quota=none"), config("tracking.experiment=x"), config("storage.prepared=x"),
                  config("entrypoint=write_shards")]  # fmt: skip
        preflight_each([one, same, *others, one])
        assert looked == [one, *others]

    def test_the_first_that_is_wrong_ends_it_unless_it_is_tolerated(self, looked, config, monkeypatch):
        def refuse(self, made):
            looked.append(made)
            if made.cluster.memory == "2g":
                raise QuotaError("too large")

        monkeypatch.setattr(LocalKind, "check", refuse)
        runs = [config("cluster.memory=2g"), config("cluster.memory=3g")]
        with pytest.raises(QuotaError, match="too large"):
            preflight_each(runs)
        assert looked == runs[:1]
        preflight_each(runs, tolerate=QuotaError)
        assert looked[1:] == runs
        with pytest.raises(QuotaError):
            preflight_each(runs, tolerate=DataError)
