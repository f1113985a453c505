"""The index of finished runs: found again, by many at once, after damage; and what it lets one estimate."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flowerexp import index
from flowerexp.config import plain
from flowerexp.index import Finished, cluster_hash
from flowerexp.plan import plan


def finished(key="k", data="d", **changes):
    base = Finished(key, data, "run-1", "/outputs/1", 10.0, 54, "c", "read_speed", 1000.0)
    return replace(base, **changes)


def planned(config, *overrides):
    return plan([config(*overrides)], [Path("x")], "code").runs[0]


class TestFile:
    def test_what_was_added_is_found(self, config):
        made = config()
        assert index.load(made).find("k", "d") is None
        index.add(made, finished())
        index.add(made, finished("other", run_id="run-2"))
        assert index.load(made).find("k", "d") == finished()
        assert index.load(made).find("other", "d") == finished("other", run_id="run-2")
        assert index.load(made).find("third", "d") is None

    def test_lies_beside_the_store(self, config, tmp_path):
        index.add(config(), finished())
        assert [path.name for path in (tmp_path / "mlruns").iterdir()] == ["finished.jsonl"]

    def test_each_store_has_its_own(self, config, tmp_path):
        uris = ["http://one:5000", "http://two:5000", "sqlite:////elsewhere/mlflow.db"]
        configs = [config(), *[config(f"tracking.uri={uri}") for uri in uris]]
        assert len({index.path_of(made) for made in configs}) == 4
        assert {index.path_of(made).parent for made in configs} == {tmp_path / "mlruns"}
        index.add(configs[1], finished())
        assert [index.load(made).find("k", "d") is not None for made in configs] == [False, True, False, False]

    def test_a_password_does_not_part_stores(self, config):
        first, second = config("tracking.uri='http://u:p@h:1'"), config("tracking.uri='http://h:1/'")
        assert index.path_of(first) == index.path_of(second)

    def test_the_newest_run_wins(self, config):
        for number in (1, 2):
            index.add(config(), finished(run_id=f"run-{number}"))
        assert index.load(config()).find("k", "d") == finished(run_id="run-2")

    @pytest.mark.parametrize("end", [b'{"run_key":"torn","da', b"{}\n", b"[1]\n", b"\x00\xff\n", b"\n\n",
                                     b'{"run_key":"x","seconds":"slow","measurements":1}\n'])  # fmt: skip
    def test_damage_costs_one_line(self, config, end):
        made = config()
        index.add(made, finished("before"))
        with index.path_of(made).open("ab") as file:
            file.write(end)
        index.add(made, finished("after"))
        known = index.load(made)
        assert known.find("before", "d")
        assert known.find("after", "d")
        assert known.find("torn", "d") is None
        bad = [n for n, line in enumerate(end.split(b"\n")) if line.strip()]
        assert known.damage == (f"{index.path_of(made)} is damaged: line 2 is skipped" if bad else None)

    def test_later_versions_may_add_fields(self, config):
        made = config()
        index.add(made, finished())
        path = index.path_of(made)
        path.write_text(path.read_text().replace('{"run_key"', '{"colour":"red","run_key"'))
        assert index.load(made).find("k", "d") == finished()

    def test_many_processes_at_once(self, config, tmp_path):
        code = (
            "import sys; from types import SimpleNamespace; from flowerexp import index\n"
            "config = SimpleNamespace(home=sys.argv[1], tracking=SimpleNamespace(uri='http://h:1'))\n"
            "for n in range(100):\n"
            "    index.add(config, index.Finished(f'{sys.argv[2]}-{n}', 'd' * 500, 'r', '/f', 1.0, 1, 'c', 'e', 1.0))\n"
        )
        workers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in range(4)]
        assert [worker.wait() for worker in workers] == [0] * 4
        known = index.load(config("tracking.uri=http://h:1"))
        assert all(known.find(f"{worker}-{n}", "d" * 500) for worker in range(4) for n in range(100))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_no_permission(self, config, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(OSError, match="denied"):
            index.add(config(), finished())


class TestFind:
    @pytest.fixture
    def known(self):
        return index.Index([finished("with data", "d"), finished("without", None)])

    def test_both_must_match(self, known):
        assert known.find("with data", "d")
        assert known.find("with data", "other") is None

    def test_data_that_is_not_known_is_no_match(self, known):
        assert known.find("with data", None) is None

    def test_whether_to_look_at_the_data_at_all(self, known):
        assert known.knows("with data")
        assert not known.knows("neither")

    def test_a_run_that_reported_no_data_is_known_by_its_key(self, known):
        assert known.find("without", None)
        assert known.find("without", "d")


class TestEstimate:
    def known(self, config, *points):
        cluster = cluster_hash(config().cluster)
        return index.Index([finished(seconds=s, measurements=m, cluster=cluster) for m, s in points])

    def test_nothing_is_known_without_history(self, config):
        assert index.Index([]).estimate(planned(config)) is None
        assert self.known(config, (54, 10.0)).estimate(planned(config, "cluster.cores=1")) is None
        assert self.known(config, (54, 10.0)).estimate(planned(config, "entrypoint=write_shards")) is None

    def test_a_start_and_so_much_a_measurement(self, config):
        known = self.known(config, (10, 5.0), (110, 15.0), (60, 10.0))
        assert known.estimate(planned(config)) == pytest.approx(4 + 54 * 0.1)
        assert known.estimate(planned(config, "grid.reader=tfrecords")) == pytest.approx(4 + 27 * 0.1)

    def test_an_odd_run_changes_little(self, config):
        points = [(10 * n, 4.0 + n) for n in range(1, 9)]
        assert self.known(config, *points, (20, 500.0)).estimate(planned(config)) == pytest.approx(9.4, rel=0.2)

    def test_runs_of_one_size(self, config):
        assert self.known(config, (54, 9.0), (54, 10.0), (54, 80.0)).estimate(planned(config)) == 10
        assert self.known(config, (27, 5.0)).estimate(planned(config)) == 10

    def test_runs_without_measurements(self, config):
        run = planned(config, "entrypoint=write_shards")
        known = index.Index(
            [finished(seconds=s, measurements=0, cluster=cluster_hash(run.config.cluster), entrypoint=run.entrypoint)
             for s in (3.0, 4.0, 5.0)]
        )  # fmt: skip
        assert known.estimate(run) == 4

    def test_runs_without_a_grid_are_as_long_as_one_of_them(self, config):
        run = planned(config, "entrypoint=write_shards")
        cluster = cluster_hash(run.config.cluster)
        known = [finished(seconds=s, measurements=m, cluster=cluster, entrypoint=run.entrypoint)
                 for m, s in ((0, 3.0), (16, 4.0), (160, 5.0))]  # fmt: skip
        assert index.Index(known).estimate(run) == 4

    def test_is_never_negative(self, config):
        assert self.known(config, (100, 1.0), (200, 100.0)).estimate(planned(config, "measure.repetitions=1")) >= 0

    def test_more_measurements_never_take_less_time(self, config):
        known = self.known(config, (100, 10.0), (200, 5.0))
        many = planned(config, "measure.repetitions=100")
        assert known.estimate(planned(config)) == known.estimate(many) == 7.5


class TestCurrentFingerprint:
    @pytest.fixture
    def told(self):
        from flowerexp.workload import report

        return report.begin("test")

    def test_is_what_a_run_reports(self, config, photos):
        from flowerexp.workload import report
        from flowerexp.workload.images import listing

        for sampling in ("full", "smoke", "full sampling.fraction=0.5"):
            made = config("dataset=folder", f"dataset.path={photos}", *f"sampling={sampling}".split())
            try:
                found = report.begin("k")
                listing.list_photographs(None, plain(made))
            except Exception:
                assert index.current_fingerprint(made) is None
            else:
                assert index.current_fingerprint(made) == found.facts["data_fingerprint"]

    def test_changes_with_the_data(self, config, photos, tmp_path):
        copy = shutil.copytree(photos, tmp_path / "copy")
        made = config("dataset=folder", f"dataset.path={copy}")
        before = index.current_fingerprint(made)
        seen: dict[str, str | None] = {}
        assert index.current_fingerprint(made, seen) == before
        next(copy.rglob("*.jpg")).write_bytes(b"changed")
        assert index.current_fingerprint(made) not in (None, before)
        assert index.current_fingerprint(made, seen) == before  # asked once

    def test_is_not_known_of_what_is_not_there(self, config):
        assert index.current_fingerprint(config("dataset=folder", "dataset.path=/no/such/folder")) is None

    def test_synthetic_data_is_known_before_it_is_generated(self, spark, config, told):
        from flowerexp.workload.images import listing

        made = config("dataset.images=3")
        before = index.current_fingerprint(made)
        listing.list_photographs(spark, plain(made))
        assert told.facts["data_fingerprint"] == index.current_fingerprint(made) == before
        assert index.current_fingerprint(config("dataset.images=4")) not in (None, before)
