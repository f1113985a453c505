"""What a sweep would cost, and whether its budget allows that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flowerexp import index
from flowerexp.config.schema import Budget
from flowerexp.errors import BudgetError
from flowerexp.plan import PlannedRun
from flowerexp.sweep.budget import budget, check_budget, expenses, over, total
from flowerexp.workload import data

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
    reads, writes = run(config, "cluster=serverless"), run(config, "cluster=serverless", "entrypoint=write_shards")
    (batches,) = expenses([(reads, 1.0), (writes, 1.0)])
    (batch,) = expenses([(reads, 1.0)])
    assert batches.start == 2 * batch.start > 0


def test_what_does_not_fit_is_said_with_its_price_and_what_to_do(config):
    made = run(config, "cluster=single_node")
    known, unknown = expenses([(made, 3600.0)]), expenses([(made, None)])
    assert over(known, total(known)) is None
    assert over(known, None) is None
    usd, least = total(known), total(unknown)
    hint = "raise budget.usd, or take fewer runs or smaller clusters; flowerexp plan shows the parts"
    assert str(over(known, usd / 2)) == (
        f"budget.usd: this would cost about ${usd:,.2f}, more than the budget of ${usd / 2:,.2f}; {hint}"
    )
    assert str(over(unknown, least / 2)) == (
        f"budget.usd: this would cost at least ${least:,.2f}, more than the budget of ${least / 2:,.2f}; {hint}"
    )


def test_each_cluster_is_an_expense_of_its_own_in_the_order_of_the_runs(config):
    runs = [run(config, f"cluster={name}") for name in ("four_nodes", "single_node", "four_nodes")]
    first, second = expenses([(made, 60.0) for made in runs])
    assert (first.cluster, first.runs, first.quota) == (runs[0].config.cluster, 2, runs[0].config.quota)
    assert (second.cluster, second.runs, second.unpriced) == (runs[1].config.cluster, 1, "")


def test_a_cluster_starts_once_for_all_scripts(config):
    reads = run(config, "cluster=single_node")
    writes = run(config, "cluster=single_node", "entrypoint=write_shards")
    (both,), (one,) = expenses([(reads, 1.0), (writes, 1.0)]), expenses([(reads, 1.0)])
    assert both.start == one.start > 0


def test_the_prices_are_those_that_the_run_names(config, tmp_path):
    (tmp_path / "prices.yaml").write_text("minimum_seconds: 360000\n")
    made = run(config, "cluster=single_node")
    dear = replace(made, config=replace(made.config, budget=Budget(prices=str(tmp_path / "prices.yaml"))))
    (shipped,), (own,) = expenses([(made, 60.0)]), expenses([(dear, 60.0)])
    assert own.usd is not None
    assert shipped.usd is not None
    assert own.usd > 50 * shipped.usd
    assert own.prices.source == str(tmp_path / "prices.yaml")


def test_a_cluster_without_a_price_is_refused_where_there_is_a_budget(config):
    nowhere = run(config, "cluster=single_node", "cluster.region=asia-south2", usd=5.0)
    with pytest.raises(BudgetError) as found:
        check_budget([nowhere])
    assert str(found.value).startswith("budget.usd: there is no price of the region asia-south2 in ")
    assert str(found.value).endswith(
        ": so it is unknown whether the sweep stays below $5.00;"
        " set budget.prices=live, or add it to a file that it names"
    )
    check_budget([run(config, "cluster=single_node", "cluster.region=asia-south2")])
    (expense,) = expenses([(nowhere, 60.0)])
    assert (expense.usd, total([expense])) == (None, 0)


class TestSkipFinished:
    @pytest.fixture
    def made(self, config, tmp_path):
        """A run that costs more than its budget allows, and that has finished before."""
        config_ = config(*CLOUD, "cluster=single_node", "skip_finished=true", "dataset=synthetic")
        run = PlannedRun("k", replace(config_, budget=replace(config_.budget, usd=1e-6)), tmp_path / "x", "code")
        fingerprint = index.current_fingerprint(run.config)
        cluster = index.cluster_hash(run.config.cluster)
        index.add(run.config, index.Finished("k", fingerprint, "id", "folder", 9.0, 54, cluster, "read_speed", 1.0))
        return run

    def test_a_run_that_is_left_out_costs_nothing(self, made):
        check_budget([made])

    def test_each_data_set_is_listed_once_for_all_runs(self, made, monkeypatch):
        listed = []
        fingerprint = data.fingerprint

        def counted(values):
            listed.append(values)
            return fingerprint(values)

        monkeypatch.setattr(data, "fingerprint", counted)
        check_budget([made, made, made])
        assert len(listed) == 1

    def test_another_run_or_one_on_other_data_does(self, made):
        other = replace(made.config, dataset=replace(made.config.dataset, seed=99))
        for run in (replace(made, run_key="another"), replace(made, config=other)):
            with pytest.raises(BudgetError, match="more than the budget"):
                check_budget([made, run])

    def test_one_that_is_to_be_run_again_does(self, made):
        again = replace(made, config=replace(made.config, skip_finished=False))
        with pytest.raises(BudgetError, match="more than the budget"):
            check_budget([again])


def test_what_is_not_known_adds_nothing(config):
    (known,) = expenses([(run(config, "cluster=single_node"), 3600.0)])
    (free,) = expenses([(run(config, "cluster=local"), 3600.0)])
    assert total([known, free]) == known.usd
    assert total([]) == 0
