"""What clusters need of quotas, who is refused, and what would fit instead; Compute Engine is a server of ours."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flowerexp.cluster import quota, quota_check
from flowerexp.cluster.cost import Prices
from flowerexp.cluster.dataproc.kind import DataprocKind
from flowerexp.cluster.kind import kind_of
from flowerexp.cluster.quota import Demand, QuotaLimits
from flowerexp.config.schema import Quota
from flowerexp.errors import ClusterError, ConfigError, QuotaError
from flowerexp.orchestrate.preflight import check_quota, preflight
from tests.cluster.configs import made


def check(*overrides):
    check_quota(made(*overrides))


def check_kind(*overrides):
    config = made(*overrides)
    kind_of(config.cluster).check(config)


class TestDemand:
    @pytest.mark.parametrize(
        ("overrides", "needed"),
        [
            (["cluster=single_node"], Demand(8, 0, 100, 0, {"CPUS": 8})),
            (["cluster=eight_nodes"], Demand(16, 0, 100, 1995, {"CPUS": 16})),
            (["cluster=eight_nodes", "cluster.internal_ip_only=false"], Demand(16, 8, 100, 1995, {"CPUS": 16})),
            (["cluster=four_nodes", "cluster.workers.disk_type=pd-balanced"], Demand(8, 0, 2098, 0, {"CPUS": 8})),
            (
                ["cluster=four_nodes", "cluster.workers.machine_type=n2-standard-2"],
                Demand(8, 0, 100, 1998, {"CPUS": 2, "N2_CPUS": 6}),
            ),
            (
                [
                    "cluster=four_nodes",
                    "cluster.workers.machine_type=c3-standard-4",
                    "cluster.workers.disk_type=pd-ssd",
                ],
                Demand(14, 0, 2098, 0, {"CPUS": 2, "C3_CPUS": 12}),
            ),
            (
                [
                    "cluster=four_nodes",
                    "cluster.workers.machine_type=c4-standard-2",
                    "cluster.workers.disk_type=hyperdisk-balanced",
                ],
                Demand(8, 0, 100, 0, {"CPUS": 2}),
            ),
            (
                ["cluster=four_nodes", "cluster.secondary={count: 2, kind: spot}"],
                Demand(12, 0, 100, 3330, {"CPUS": 8}, {"CPUS": 4}),
            ),
            (
                ["cluster=four_nodes", "cluster.secondary={count: 2, kind: standard}"],
                Demand(12, 0, 100, 3330, {"CPUS": 12}),
            ),
            (["cluster=serverless"], Demand(12, 0, 0, 0, {"CPUS": 12})),
            (["cluster=local"], Demand()),
        ],
    )
    def test_of_a_cluster(self, overrides, needed):
        assert kind_of(made(*overrides).cluster).demand(Prices.load()) == needed

    def test_adds_up_and_fits_beside_others(self):
        four, limit = Demand(8, 0, 100, 1998, {"CPUS": 8}), QuotaLimits(vcpus=16, ssd_gb=200)
        assert four + four == Demand(16, 0, 200, 3996, {"CPUS": 16})
        assert quota.fits(four, Demand(), limit)
        assert quota.fits(four, four, limit)
        assert not quota.fits(four, four + Demand(vcpus=1), limit)

    def test_spot_machines_count_as_others_where_they_have_no_quota_of_their_own(self):
        spot = Demand(vcpus=12, by_metric={"CPUS": 8}, preemptible={"CPUS": 4})
        assert [*quota.over(spot, QuotaLimits(by_metric={"CPUS": 11}))] == [("vCPUs of N1 and E2 (CPUS)", 12, 11)]
        assert quota.fits(spot, Demand(), QuotaLimits(by_metric={"CPUS": 8, "PREEMPTIBLE_CPUS": 4}))
        assert [*quota.over(spot + spot, QuotaLimits(by_metric={"CPUS": 16, "PREEMPTIBLE_CPUS": 7}))] == [
            ("vCPUs of spot and preemptible machines (PREEMPTIBLE_CPUS)", 8, 7)
        ]


class TestCheck:
    @pytest.mark.parametrize("name", ["single_node", "four_nodes", "local"])
    def test_what_fits_the_free_tier(self, name):
        check(f"cluster={name}")

    def test_the_notebook_s_eight_nodes(self):
        with pytest.raises(QuotaError) as caught:
            check("cluster=eight_nodes")
        assert "eight_nodes needs more than the quota of us-central1 has: 16 vCPUs of 8" in str(caught.value)
        assert "this would fit: cluster.workers.count=3." in str(caught.value)

    def test_the_notebook_s_addresses(self):
        """Insufficient 'IN_USE_ADDRESSES' quota. Requested 8.0, available 7.0."""
        with pytest.raises(QuotaError) as caught:
            check("cluster=eight_nodes", "cluster.internal_ip_only=false", "quota.vcpus=16")
        assert "8 external addresses in use (IN_USE_ADDRESSES) of 7" in str(caught.value)
        assert "this would fit: cluster.internal_ip_only=true or cluster.workers.count=6." in str(caught.value)

    @pytest.mark.parametrize(
        "overrides",
        [
            ["cluster=eight_nodes", "cluster.internal_ip_only=false"],
            ["cluster=eight_nodes", "cluster.internal_ip_only=false", "quota.in_use_addresses=1"],
            ["cluster=single_node", "cluster.master.machine_type=n1-standard-16"],
            ["cluster=four_nodes", "cluster.workers.disk_gb=700"],
            ["cluster=single_node", "cluster.master.disk_gb=200"],
            ["cluster=four_nodes", "cluster.workers.disk_type=pd-balanced"],
            ["cluster=four_nodes", "cluster.workers.machine_type=n1-standard-4"],
            ["cluster=four_nodes", "cluster.secondary.count=2"],
            [
                "cluster=four_nodes",
                "cluster.secondary.count=1",
                "cluster.workers.count=2",
                "quota.standard_disk_gb=1500",
            ],
            ["cluster=serverless", "cluster.executors=4", "quota.vcpus=16"],
        ],
    )
    def test_what_is_said_to_fit_does(self, overrides):
        with pytest.raises(QuotaError) as caught:
            check(*overrides)
        proposed = re.search(r"would fit: (.*?)\. Else", str(caught.value))
        assert proposed
        for changes in proposed[1].split(" or "):
            check(*overrides, *changes.split())

    def test_a_smaller_disk_is_small_enough_for_all_workers_together(self):
        """Two workers of 3,000 GB each, where the quota leaves 1,001 GB beside the master's 95: 453 GB each."""
        workers = ("cluster.workers.count=2", "cluster.workers.disk_gb=3000", "cluster.workers.disk_type=pd-ssd")
        overrides = ["cluster=four_nodes", *workers, "cluster.master.disk_gb=95", "quota.ssd_gb=1001"]
        with pytest.raises(QuotaError, match=r"this would fit: cluster\.workers\.disk_gb=453\."):
            check(*overrides)
        check(*overrides, "cluster.workers.disk_gb=453")
        with pytest.raises(QuotaError):
            check(*overrides, "cluster.workers.disk_gb=454")

    def test_of_more_than_two_ways_the_first_two_are_said(self):
        large = ("cluster.workers.machine_type=n1-standard-4", "cluster.internal_ip_only=false")
        with pytest.raises(
            QuotaError, match=r"would fit: cluster\.internal_ip_only=true or cluster\.workers\.count=2\. Else"
        ):
            check("cluster=four_nodes", *large, "quota.vcpus=64", "quota.in_use_addresses=3")

    def test_nothing_smaller(self):
        with pytest.raises(
            QuotaError, match=r"^quota: cluster four_nodes .* 8 vCPUs of 1; nothing smaller .* quota=live or quota=none"
        ):
            check("cluster=four_nodes", "quota.vcpus=1")

    def test_no_quota_no_check(self, monkeypatch):
        monkeypatch.setattr(DataprocKind, "live_limits", lambda _: pytest.fail("the cloud was asked"))
        assert quota_check.limits(kind_of(made("cluster=four_nodes").cluster), Quota(source="none")) == QuotaLimits()
        check("cluster=eight_nodes", "quota=none")
        check("cluster=eight_nodes", "cluster.workers.machine_type=c3-standard-4", "quota=none")

    def test_an_unknown_machine(self):
        with pytest.raises(ConfigError, match=r"cluster.workers.machine_type: .* m1-ultramem-40 is not known"):
            check("cluster=four_nodes", "cluster.workers.machine_type=m1-ultramem-40")


@pytest.fixture
def compute(monkeypatch):
    """Compute Engine's regions, as far as quotas go: metric -> (limit, usage); what it was asked is kept."""
    quotas: dict[str, tuple[float, float]] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path.partition("?")[0])
            body = {"name": "us-central1", "quotas": [
                {"metric": metric, "limit": limit, "usage": usage} for metric, (limit, usage) in quotas.items()
            ]}  # fmt: skip
            content = json.dumps(body if quotas else {"error": {"code": 403, "message": "no permission"}}).encode()
            self.send_response(200 if quotas else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", f"127.0.0.1:{server.server_address[1]}")
    yield quotas, asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow  # imports Google's libraries
class TestLive:
    def test_what_is_left_counts(self, compute):
        quotas, asked = compute
        quotas.update(CPUS=(24, 4), N2_CPUS=(8, 8), SSD_TOTAL_GB=(500, 0), DISKS_TOTAL_GB=(4096, 0), SNAPSHOTS=(1, 1))
        assert quota_check.limits(kind_of(made("cluster=four_nodes").cluster), Quota(source="live")) == QuotaLimits(
            ssd_gb=500, standard_disk_gb=4096, by_metric={"CPUS": 20, "N2_CPUS": 0}
        )
        assert asked == ["/compute/v1/projects/p/regions/us-central1"]
        check("cluster=eight_nodes", "quota=live")
        with pytest.raises(QuotaError, match=r"6 vCPUs of N2 \(N2_CPUS\) of 0; nothing smaller"):
            check("cluster=four_nodes", "cluster.workers.machine_type=n2-standard-2",
                  "cluster.workers.count=3", "quota=live")  # fmt: skip
        spot = ("cluster=four_nodes", "cluster.workers.disk_gb=100", "cluster.secondary.count=6", "quota=live")
        check(*spot)
        quotas["PREEMPTIBLE_CPUS"] = (0, 0)  # as in a region that has granted none
        check(*spot)
        quotas["PREEMPTIBLE_CPUS"] = (8, 0)
        with pytest.raises(QuotaError, match=r"12 vCPUs of spot and preemptible machines \(PREEMPTIBLE_CPUS\) of 8"):
            check(*spot)
        quotas["CPUS"] = (24, 20)
        with pytest.raises(QuotaError, match=r"16 vCPUs of N1 and E2 \(CPUS\) of 4"):
            check("cluster=eight_nodes", "quota=live")

    def test_a_refusal_is_one_line(self, compute):
        with pytest.raises(
            ClusterError, match=r"does not say what the quotas of us-central1 in p are: .*no permission.*none"
        ):
            check("cluster=four_nodes", "quota=live")

    def test_a_service_that_is_not_there_is_one_line(self, monkeypatch):
        monkeypatch.setenv("COMPUTE_EMULATOR_HOST", "127.0.0.1:1")
        with pytest.raises(ClusterError, match=r"does not say what the quotas .* are: .*refused.*; .*quota=none"):
            check("cluster=four_nodes", "quota=live")


class TestPreflight:
    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            (["dataset=folder", "dataset.path=/data/flowers"],
             r"dataset.path: /data/flowers is a folder of this machine.*"
             r"gcloud storage cp -r /data/flowers gs://p-flowerexp/flowers, and set dataset.path=gs://p-flowerexp/fl"),
            (["dataset.tfrecords=records"], r"dataset.tfrecords: records is a folder of this machine"),
            (["storage=local"], r"storage.generated: .* cannot write; set storage=bucket"),
            (["cluster.workers.machine_type=n4-standard-2"],
             r"cluster.workers.disk_type: n4-standard-2 does not boot from pd-standard: N4 machines have "
             r"hyperdisk-balanced; set cluster.workers.disk_type=hyperdisk-balanced"),
            (["cluster.master.machine_type=t2d-standard-2"],
             r"cluster.master.machine_type: t2d-standard-2 cannot be used: .*; choose one of the series n1, n2, "),
            (["cluster.workers.disk_mib_s=200"], r"workers.disk_mib_s: a pd-standard has the speed of its size"),
            (["cluster.workers.count=0", "cluster.secondary.count=2"],
             r"cluster.secondary.count: a single node has no secondary workers: .*; set cluster.workers.count=2"),
            (["cluster.autoscaling_policy=mine"],
             r"cluster.autoscaling_policy: read_speed measures, and a cluster with a policy gains and loses machines"),
            (["entrypoint=write_shards", "cluster.workers.count=0", "cluster.autoscaling_policy=mine"],
             r"cluster.autoscaling_policy: a single node has no workers"),
            (["cluster.auto_delete_minutes=10"], r"cluster.auto_delete_minutes: 10 minutes after its creation"),
        ],
    )  # fmt: skip
    def test_what_a_cluster_in_the_cloud_cannot_have(self, overrides, message):
        with pytest.raises(ConfigError, match=message):
            check_kind("cluster=four_nodes", *overrides)

    def test_what_it_can(self):
        for name in ("single_node", "four_nodes", "serverless"):
            check_kind(f"cluster={name}", "dataset=flowers")
        check_kind("cluster=four_nodes", "cluster.secondary.count=1", "dataset=flowers")
        check_kind("cluster=four_nodes", "entrypoint=write_shards", "cluster.autoscaling_policy=mine")

    def test_the_quota_is_checked_before_anybody_is_asked(self, monkeypatch):
        def backend(_):
            raise AssertionError("the cloud was asked")

        monkeypatch.setattr(DataprocKind, "backend", backend)
        with pytest.raises(QuotaError):
            preflight(made("cluster=eight_nodes"))

    def test_a_machine_type_of_one_s_own(self, tmp_path):
        prices = tmp_path / "mine.yaml"
        prices.write_text("machine_types: {c3-standard-4: {vcpus: 4, memory_gb: 16}}")
        found = made("cluster=single_node", "cluster.master.machine_type=c3-standard-4", f"budget.prices={prices}")
        check_quota(found)
