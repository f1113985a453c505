import random

import pytest

from flowerexp.analysis.caching import Side, compare_caching
from flowerexp.config import typed


def run(name, caching, seconds, executions=1.0, rate=100.0, repeat=1, partitions=2):
    prepared = {"shards": partitions, "target_size": [8, 8], "quality": 95, "exact": False}
    cluster = {"kind": "local", "name": "local"}
    config = {"cluster": cluster, "caching": caching, "repeat": repeat, "preprocess": prepared, "home": f"/home/{name}"}
    return typed(config), Side(name, seconds, executions, {"tfrecords": rate})


def test_neighbours_pair_whichever_comes_first_and_their_ratio_has_an_interval():
    found = compare_caching(
        [
            run("0", True, 2.0),
            run("1", False, 8.0, executions=5, rate=110),
            run("2", False, 6.0, executions=5, repeat=2),
            run("3", True, 1.5, repeat=2),
            run("4", True, 1.0, partitions=16),  # its other half is missing
        ]
    )
    assert found is not None
    assert [(pair.on.run, pair.off.run) for pair in found.pairs] == [("0", "1"), ("3", "2")]
    assert [pair.ratio for pair in found.pairs] == [4, 4]
    assert [found.seconds.value, found.seconds.low, found.seconds.high] == pytest.approx([4, 4, 4])
    rates = found.values["tfrecords"]
    assert rates.low is not None
    assert rates.high is not None
    assert rates.low < 1 < rates.high  # caching does not change how fast images are read
    assert [pair.off.executions for pair in found.pairs] == [5, 5]


def test_machines_that_drift_from_pair_to_pair_do_not_widen_the_interval():
    drifts = (1.0, 3.0, 9.0)
    runs = []
    for repeat, (drift, noise) in enumerate(zip(drifts, (1.0, 1.02, 0.98), strict=True)):
        runs += [
            run(f"on{repeat}", True, drift, repeat=repeat),
            run(f"off{repeat}", False, 3 * drift * noise, repeat=repeat),
        ]
    found = compare_caching(runs)
    assert found is not None
    assert found.seconds.value == pytest.approx(3, rel=0.01)
    assert found.seconds.reach is not None
    assert found.seconds.reach < 0.06


@pytest.mark.parametrize("seed", range(5))
def test_runs_in_any_order_pair_within_their_block(seed):
    """A sweep shuffles its runs, so other runs come between the two of a pair."""
    runs = [
        run(f"{caching}{partitions}{repeat}", caching, 1.0 if caching else 4.0, partitions=partitions, repeat=repeat)
        for caching in (True, False)
        for partitions in (2, 16)
        for repeat in (1, 2, 3)
    ]
    random.Random(seed).shuffle(runs)
    found = compare_caching(runs)
    assert found is not None
    assert {(pair.on.run, pair.off.run) for pair in found.pairs} == {
        (f"True{partitions}{repeat}", f"False{partitions}{repeat}") for partitions in (2, 16) for repeat in (1, 2, 3)
    }


def test_one_pair_has_a_ratio_and_no_interval():
    found = compare_caching([run("0", True, 2.0), run("1", False, 8.0)])
    assert found is not None
    assert (found.seconds.value, found.seconds.low) == (4, None)


@pytest.mark.parametrize(
    "runs", [[], [run("0", True, 1.0), run("1", True, 1.0)], [run("0", True, 1), run("1", False, 0)]]
)
def test_without_pairs_there_is_nothing_to_say(runs):
    assert compare_caching(runs) is None


def test_readers_that_not_all_pairs_have_are_left_out():
    config, _ = run("1", False, 8.0)
    found = compare_caching([run("0", True, 2.0), (config, Side("1", 8.0, 1, {"image_files": 3.0}))])
    assert found is not None
    assert found.values == {}
