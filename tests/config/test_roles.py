"""Which part of a config results depend on."""

from __future__ import annotations

from flowerexp.config import is_of, keys_with, measured_part, plain


def test_where_things_are_kept_and_what_may_be_spent_is_not_measured(config):
    whole = plain(config("cluster=four_nodes", "gcp.project=mine"))
    part = measured_part(config("cluster=four_nodes", "gcp.project=mine"))
    assert whole.keys() - part.keys() == {
        *("home", "storage", "tracking", "sweep", "gate", "skip_finished", "gcp", "quota", "budget", "margin"),
        "objective",
    }
    assert whole["cluster"].keys() - part["cluster"].keys() == {
        *("project", "bucket", "subnetwork", "service_account", "labels"),
        *("idle_delete_minutes", "auto_delete_minutes"),
    }
    assert part == measured_part(whole), "a recorded config has the same"


def test_further_keys_are_left_out_by_their_dotted_names(config):
    part = measured_part(config(), "caching", "measure.concurrency")
    assert "caching" not in part
    assert "concurrency" not in part["measure"]
    assert "repetitions" in part["measure"]


def test_roles_are_told_apart():
    assert keys_with("place") == {"home", "storage.generated", "storage.prepared", "tracking"}
    assert keys_with("sweep") == {"sweep", "gate", "skip_finished", "objective"}
    assert keys_with("place", "sweep") < keys_with()


def test_all_keys_count_of_a_recorded_cluster_whose_kind_is_gone():
    recorded = {"cluster": {"kind": "gone", "project": "mine"}, "home": "/home/me", "hydra": {}, "caching": True}
    assert measured_part(recorded) == {"cluster": {"kind": "gone", "project": "mine"}, "caching": True}
    assert measured_part({"caching": True}) == {"caching": True}


def test_a_simulated_bucket_is_measured_and_none_leaves_no_trace(config):
    assert measured_part(config("storage.latency_ms=20"))["storage"]["latency_ms"] == 20
    assert "storage" not in measured_part(config())
    assert is_of("storage", "place"), "an option chosen for the whole group"
    assert is_of("storage.prepared", "place")
    assert not is_of("storage.latency_ms", "place")
    assert is_of("sweep.axes.caching", "sweep")
