"""What a sweep would cost, and whether its budget allows that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flowerexp.errors import BudgetError
from flowerexp.plan import PlannedRun
from flowerexp.sweep.budget import budget, check_budget, expenses, over, total

CLOUD = ("gcp.project=mine", "quota=none")


def run(config, *overrides, usd=None):
    made = config(*CLOUD, *overrides)
    return PlannedRun("k", replace(made, budget=replace(made.budget, usd=usd)), Path("x"), "code")


def test_the_smallest_budget_of_the_runs_holds_for_the_sweep(config):
    runs = [run(config, usd=usd) for usd in (10.0, None, 5.0)]
    assert budget(runs) == 5.0
    assert budget(runs[1:2]) is None


def test_a_cluster_is_created_once_for_all_its_runs_and_a_batch_for_each_script(config):
    one, other = run(config, "cluster=single_node"), run(config, "cluster=single_node", "caching=true")
    (expense,) = expenses([(one, 100.0), (other, 50.0)])
    (alone,) = expenses([(one, 150.0)])
    assert (expense.runs, expense.seconds, expense.start) == (2, 150.0, alone.start)
    assert expense.usd == alone.usd
    reads, writes = run(config, "cluster=serverless"), run(config, "cluster=serverless", "entrypoint=write_tfrecords")
    (batches,) = expenses([(reads, 1.0), (writes, 1.0)])
    (batch,) = expenses([(reads, 1.0)])
    assert batches.start == 2 * batch.start > 0


def test_what_is_not_known_to_fit_is_said_with_its_least_price(config):
    made = run(config, "cluster=single_node")
    known, unknown = expenses([(made, 3600.0)]), expenses([(made, None)])
    assert over(known, total(known)) is None
    assert "about $" in str(over(known, total(known) / 2))
    assert "at least $" in str(over(unknown, total(unknown) / 2))
    assert over(known, None) is None


def test_a_cluster_without_a_price_is_refused_where_there_is_a_budget(config):
    nowhere = run(config, "cluster=single_node", "cluster.region=asia-south2", usd=5.0)
    with pytest.raises(BudgetError, match="asia-south2"):
        check_budget([nowhere])
    check_budget([run(config, "cluster=single_node", "cluster.region=asia-south2")])
