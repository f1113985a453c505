"""Values that are wrong only together; and sizes, which are counted before anything is made of them."""

import resource
from dataclasses import replace
from typing import Any

import pytest

from flowerexp.config import plain
from flowerexp.config.together import MOST_MEASUREMENTS
from flowerexp.errors import ConfigError
from tests.composing import composed

CLOUD = ("cluster=four_nodes", "gcp.project=mine", "quota=none")


def refusal(*overrides):
    with pytest.raises(ConfigError) as caught:
        composed(overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestGrid:
    @pytest.mark.slow
    def test_is_counted_and_refused_at_once(self):
        from omegaconf import OmegaConf

        from flowerexp.config import check

        config = OmegaConf.create(plain(composed([])))
        config.grid.batch_size = list(range(1, 20_001))
        config.grid.batch_number = list(range(1, 20_001))
        config.measure.repetitions = 3
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ConfigError, match=r"2 of reader x 20,000 of batch_size x 20,000 of batch_number x 3 rep.* "
                                              r"2,400,000,000 measurements; a run may have 1,000,000"):  # fmt: skip
            check(config)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB; as a list it takes 100 GB

    def test_the_limit_itself_is_allowed(self):
        sizes = ["grid.batch_size=[1]", "grid.batch_number=[1]", "grid.reader=tfrecords"]
        assert "measure.repetitions=100001" in refusal(*sizes, "measure.repetitions=100001")
        many = [*sizes[1:], f"grid.batch_size=[{','.join(map(str, range(1, 11)))}]", "measure.repetitions=100000"]
        made = composed(many)
        assert len(made.grid["batch_size"]) * made.measure.repetitions == MOST_MEASUREMENTS
        assert "1,100,000 measurements" in refusal(
            *many[:1], many[2], "measure.repetitions=100000",
            "grid.batch_size=[" + ",".join(map(str, range(1, 12))) + "]",
            "grid.reader=tfrecords",
        )  # fmt: skip

    def test_a_plan_counts_its_measurements(self):
        from pathlib import Path

        from flowerexp.plan import PlannedRun

        config = composed(["measure.repetitions=2"])
        large = replace(config, grid={**config.grid, "batch_size": range(10**9), "batch_number": range(10**9)})
        assert PlannedRun("", large, Path(), "").measurements == 4 * 10**18


class TestUntil:
    def test_an_experiment_that_finds_its_results_has_no_rounds(self):
        assert refusal("entrypoint=write_shards", "measure.until=5%") == (
            "command line: measure.until is not for write_shards: a repetition would find its results and "
            "measure nothing; set it to null"
        )

    @pytest.mark.parametrize(
        ("written", "share"), [("5%", 0.05), ("0.05", 0.05), ("2.5%", 0.025), ("0.1%", 0.001), ("7%", 0.07)]
    )
    def test_a_share_may_be_written_in_percent(self, written, share):
        assert composed([f"measure.until={written}"]).measure.until == share

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("5", "measure.until=5.0 must be at most 0.5; write 5% or 0.05"),
            ("abc", "measure.until=abc must be a number; write 5% or 0.05"),
            ("-5%", "measure.until=-5% must be a number; write 5% or 0.05"),
            ("0%", "measure.until=0.0 must be more than 0; write 5% or 0.05"),
            ("true", "measure.until=true must be a number; write 5% or 0.05"),
        ],
    )
    def test_nonsense_is_refused(self, written, said):
        assert refusal(f"measure.until={written}") == f"command line: {said}"

    def test_the_planned_repetitions_are_the_least(self):
        assert composed(["measure.until=5%"]).measure.least == 6
        assert composed(["measure.until=5%", "measure.repetitions=8"]).measure.least == 8
        assert composed(["measure.repetitions=2"]).measure.least == 2


class TestZones:
    def test_lie_in_their_region(self):
        message = refusal(*CLOUD, "gcp.zones=[us-central1-a,us-east1-b]")
        assert message == ("command line: gcp.zones=us-east1-b does not lie in the region us-central1; "
                           "set gcp.region and gcp.zones to fit")  # fmt: skip
        made: Any = composed([*CLOUD, "gcp.zones=[us-east1-b]", "gcp.region=us-east1"])
        assert made.cluster.zones == ("us-east1-b",)


class TestLabels:
    @pytest.mark.parametrize("label", ["_1=a", "flowerexp-owner=me"])
    def test_are_not_left_out(self, label):
        assert refusal(*CLOUD, f"+cluster.labels.{label}").startswith("command line: cluster.labels.")

    def test_are_few(self):
        labels = ",".join(f"l{number}:x" for number in range(31))
        assert "31 labels; 30 are allowed" in refusal(*CLOUD, f"+cluster.labels={{{labels}}}")

    def test_hold_text(self):
        cluster: Any = composed([*CLOUD, "+cluster.labels={run:2024_10,team:'Vision Lab'}"]).cluster
        assert cluster.labels == {"run": "2024_10", "team": "Vision Lab"}


class TestSimulatedBucket:
    def test_is_refused_where_nothing_would_be_read_through_it(self):
        assert "storage.latency_ms=30 has no effect: aggregate reads nothing through a" in refusal(
            "entrypoint=aggregate", "storage=simulated_bucket"
        )
        assert "storage.jitter=0.3 has no effect without storage.latency_ms" in refusal("storage.jitter=0.3")

    def test_is_refused_where_there_is_a_real_one(self):
        told = refusal(*CLOUD, "gcp.bucket=b-b", "storage.latency_ms=5")
        assert "storage.latency_ms=5 does not go with cluster=four_nodes: a bucket is simulated here only" in told
        for place in ("dataset.tfrecords=gs://b/t", "storage.prepared=gs://b/p"):
            told = refusal("storage.bandwidth_mb_s=100", place)
            assert f"storage.bandwidth_mb_s=100 does not go with {place}, which is not a folder" in told

    def test_is_accepted_on_this_machine(self):
        for cluster in ("local", "local_nodes"):
            pace = composed(["storage=simulated_bucket", f"cluster={cluster}"]).storage.simulated
            assert pace is not None
            assert (pace.latency_ms, pace.connection_mb_s) == (30, 210)
        assert composed([]).storage.simulated is None


class TestShards:
    def test_their_number_is_said_once(self):
        said = "preprocess.shards=4 and preprocess.shard_mb=2 both say how many files are written"
        assert said in refusal("preprocess.shards=4", "preprocess.shard_mb=2")
        assert "nothing says how many files are written" in refusal("preprocess.shards=null")
        assert plain(composed([]))["preprocess"]["shards"] == 16
        by_size = plain(composed(["preprocess.shard_mb=2"]))["preprocess"]
        assert (by_size["shards"], by_size["shard_mb"]) == (None, 2.0)

    @pytest.mark.parametrize(
        ("form", "compression", "hint"),
        [("lmdb", "zstd", "set it to null"), ("parquet", "gzip", "set zstd, snappy or null"),
         ("tfrecord", "zstd", "set gzip or null")],
    )  # fmt: skip
    def test_a_compression_that_the_format_lacks(self, form, compression, hint):
        message = refusal(f"preprocess.format={form}", f"preprocess.compression={compression}")
        assert message.startswith("command line (preprocess.compression): ")
        assert message.endswith(f" files have no compression '{compression}'; {hint}")
        assert plain(composed([f"preprocess.format={form}"]))["preprocess"]["compression"] is None

    def test_what_an_experiment_imports_depends_on_the_format(self):
        from flowerexp.plan import required

        assert "lmdb" not in required(composed(["entrypoint=write_shards"]))
        assert required(composed(["entrypoint=write_shards", "preprocess.format=lmdb"]))["lmdb"] == "lmdb==3.0.0"
