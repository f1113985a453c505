"""`flowerexp plan`: what it shows, that it starts and writes nothing, and how it refuses."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from flowerexp import cli, index, storage
from flowerexp.commands.help import page
from flowerexp.errors import BudgetError
from flowerexp.plan import PlannedRun, duration
from flowerexp.sweep.budget import check_budget
from flowerexp.sweep.forecast import forecast

pytestmark = pytest.mark.slow

HEAVY = ("tensorflow", "pyspark", "mlflow", "pandas", "sklearn", "matplotlib", "pyarrow", "cv2", "google.cloud")


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Call the command line in this process, in an empty folder that is its home too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWEREXP_HOME", raising=False)

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(["plan", *arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


@pytest.fixture
def planned(call):
    def planned(*arguments):
        code, out, err = call("--json", *arguments)
        assert (code, err) == (0, "")
        return json.loads(out)

    return planned


def finish(run, config, data=None, **changes):
    """Note in the index that a run of a plan has finished."""
    values: dict[str, Any] = {
        "run_id": "0123456789abcdef",
        "folder": "/outputs/x",
        "seconds": 12.0,
        "at": 1_700_000_000.0,
    }
    values |= {"measurements": run["measurements"], "entrypoint": run["entrypoint"]}
    values |= {"cluster": index.cluster_hash(config.cluster), **changes}
    index.add(config, index.Finished(run_key=run["run_key"], data_fingerprint=data, **values))


def test_a_damaged_index_is_named_and_costs_its_line_only(call, tmp_path):
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "finished.jsonl").write_text('{"run_key": 7}\n[]\n')
    code, out, err = call("-m", "caching=true,false")
    assert code == 0
    assert "2 runs in 1 job" in out
    assert err == f"flowerexp: {tmp_path / 'mlruns' / 'finished.jsonl'} is damaged: 2 lines are skipped (1, 2)\n"


def test_what_needs_more_photographs_than_there_are_is_not_planned(call):
    code, out, err = call("-m", "grid=quick,wide", "grid.reader=tfrecords")
    assert (code, out) == (1, "")
    assert "run 1 (grid=wide): batch_size 128 x batch_number 32 needs 4,096 images, and there are 1,000 at most" in err


def test_a_sweep_without_m_is_not_planned_as_a_single_run(call):
    assert "sweep.repeats has no effect on a single run; add -m to plan them all" in call("sweep.repeats=2")[2]


class TestWhatIsShown:
    def test_a_single_run(self, call):
        code, out, err = call("caching=false")
        assert (code, err) == (0, "")
        assert out.startswith("1 run in 1 job on 1 cluster, 54 measurements; nothing is started\n")
        assert "read_speed caching=false · local" in out
        assert "time      unknown" in out
        lines = out.splitlines()
        assert "asks      How fast can images be read? (read_speed, steady images/s)" in lines
        grid = "grid      reader image_files, tfrecords; batch size 2, 4, 8; batch number 3, 6, 12"
        assert grid in lines
        assert "measures  18 cells a run, 3 times each; a measurement is a task on an executor" in lines
        assert "uses      dataset, sampling, preprocess" in lines

    def test_of_a_sweep_the_values_of_all_its_runs(self, call):
        out = call("-m", "grid.reader=tfrecords", "grid.batch_size=[2],[4,8]", "entrypoint=read_speed")[1]
        assert "grid      reader tfrecords; batch size 2 or 4, 8; batch number 3, 6, 12" in out.splitlines()
        assert "measures  3 or 6 cells a run, 3 times each; " in out

    def test_until_says_how_many_there_are_at_least(self, call):
        lines = call("measure.until=5%")[1].splitlines()
        assert lines[0] == "1 run in 1 job on 1 cluster, at least 108 measurements; nothing is started"
        assert (
            "measures  18 cells a run, 6 times each at least, until their intervals reach no further than 5 %; "
            "a measurement is a task on an executor" in lines
        )
        assert any(line.startswith("job 0") and line.endswith("1 run, at least 108 measurements") for line in lines)

    def test_what_has_no_grid_has_no_count(self, call):
        out = call("entrypoint=write_shards")[1]
        assert out.startswith("1 run in 1 job on 1 cluster; nothing is started\n")
        assert "measurement" not in out

    def test_all_of_it_for_machines(self, planned):
        (run,) = planned("grid.reader=tfrecords", "measure.repetitions=2")["runs"]
        assert (run["question"], run["unit"], run["where"]) == ("How fast can images be read?", "images", "executor")
        assert (
            run["grid"] | {"reader": ["tfrecords"], "batch_size": [2, 4, 8], "batch_number": [3, 6, 12]} == run["grid"]
        )
        assert (run["measure"]["repetitions"], run["uses"]) == (2, ["dataset", "sampling", "preprocess"])

    def test_an_experiment_of_one_s_own_without_values(self, call, tmp_path):
        (tmp_path / "own" / "entrypoint").mkdir(parents=True)
        (tmp_path / "own" / "entrypoint" / "words.yaml").write_text(
            "name: words\nquestion: How fast?\nscript: words.py\nunit: words\n"
            "parameters: {words: {min: 1}, tidy: {type: bool}}\n"
        )
        (tmp_path / "own" / "words.py").touch()
        own = ("--config-dir", "own", "entrypoint=words", "grid.words=[10,20]")
        code, out, err = call(*own, "grid.tidy=true")
        assert (code, err) == (0, "")
        assert "grid      words 10, 20; tidy true" in out.splitlines()
        assert "measures  2 cells a run, 3 times each; a measurement is a Spark job of the driver" in out
        assert "uses" not in out
        assert "grid.tidy has no value; add grid.tidy=VALUE" in call(*own)[2]
        assert "did you mean 'grid.words'?" in call(*own, "grid.wrods=1")[2]
        assert call("-m", *own, "grid.tidy=true,false")[1].startswith("2 runs in 1 job on 1 cluster, 12 measurements")

    def test_the_key_is_the_run_s(self, planned, config):
        from flowerexp.job.bundle import Bundle, find_script
        from flowerexp.plan import run_key

        (run,) = planned("caching=false")["runs"]
        made = config("caching=false")
        assert run["run_key"] == run_key(made, Bundle(find_script(made.entrypoint.script)).code_hash)

    def test_a_single_run_that_asks_for_a_value_of_hydra_s(self, planned, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (run,) = planned("home=${hydra:runtime.cwd}/here")["runs"]
        (same,) = planned(f"home={tmp_path}/here")["runs"]
        assert run["run_key"] == same["run_key"]

    def test_a_sweep(self, call):
        code, out, _ = call("-m", "caching=true,false", "grid=quick,wide", "measure.seed=5", "dataset.images=5000")
        assert code == 0
        lines = out.splitlines()
        assert lines[0] == "4 runs in 1 job on 1 cluster, 288 measurements; nothing is started"
        assert lines[2].split() == ["run", "order", "key", "name", "caching", "grid"]
        assert [line.split()[-2:] for line in lines[3:7]] == [
            ["true", "quick"], ["true", "wide"], ["false", "quick"], ["false", "wide"],
        ]  # fmt: skip

    def test_jobs_and_clusters(self, planned, call):
        arguments = ("-m", "cluster.cores=1,2", "entrypoint=read_speed,write_shards", "sweep.order=interleaved")
        found = planned(*arguments)
        assert [job["runs"] for job in found["jobs"]] == [[0], [1], [2], [3]]
        assert [job["cluster"]["cores"] for job in found["jobs"]] == [1, 1, 2, 2]
        assert "4 runs in 4 jobs on 2 clusters" in call(*arguments)[1]

    def test_an_experiment_that_is_a_sweep_needs_no_flag(self, planned):
        runs = planned("experiment=notebook")["runs"]
        assert [run["differs"] for run in runs] == [
            {"preprocess.shards": str(number), "caching": caching}
            for number in (2, 16) for caching in ("true", "false")
        ]  # fmt: skip
        assert {run["measurements"] for run in runs} == {96}

    def test_repeats_have_keys_of_their_own(self, planned):
        keys = [run["run_key"] for run in planned("-m", "sweep.repeats=3")["runs"]]
        assert len(set(keys)) == 3
        assert keys[0] == planned()["runs"][0]["run_key"]

    def test_of_many_runs_the_first_and_the_last(self, call, planned):
        _, out, _ = call("-m", "measure.seed=range(0,50)")
        numbers = [line.split()[0] for line in out.splitlines() if line[:1].isdigit() and "read_speed" in line]
        assert numbers == [*map(str, range(20)), *map(str, range(30, 50))]
        assert "...  10 more" in out
        assert len(planned("-m", "measure.seed=range(0,50)")["runs"]) == 50
        assert "more" not in call("-m", "measure.seed=range(0,40)")[1]

    def test_configs_of_one_s_own(self, planned, tmp_path):
        (tmp_path / "mine" / "grid").mkdir(parents=True)
        (tmp_path / "mine" / "grid" / "one.yaml").write_text("defaults: [quick]\nbatch_size: [1]\nbatch_number: [1]\n")
        assert planned("--config-dir", "mine", "-m", "grid=one,quick")["measurements"] == 6 + 54


class TestWhatIsDone:
    @pytest.fixture
    def config(self, config, tmp_path):
        return config(f"home={tmp_path}")

    def test_is_shown_and_skipped_if_wanted(self, call, planned, config):
        finish(planned("caching=true")["runs"][0], config)
        _, out, _ = call("experiment=caching")
        assert "run 01234567, 2023-11-1" in out
        assert "done      1 run of 2 before; skip_finished=true leaves them out" in out
        assert "time      about 24 s, by earlier runs" in out
        _, out, _ = call("experiment=caching", "skip_finished=true")
        assert out.startswith("1 run in 1 job on 1 cluster, 54 measurements;")
        assert "skipped   1 run of 2: finished already" in out
        assert "time      about 12 s" in out
        found = planned("experiment=caching", "skip_finished=true")
        assert [run["skipped"] for run in found["runs"]] == [True, False]
        assert found["runs"][0]["done"]["run_id"] == "0123456789abcdef"
        assert [job["runs"] for job in found["jobs"]] == [[1]]
        assert found["estimated_seconds"] == 12

    def test_nothing_is_left(self, call, planned, config):
        finish(planned()["runs"][0], config)
        _, out, _ = call("skip_finished=true")
        assert out.startswith("0 runs in 0 jobs on 0 clusters; nothing is started")
        assert "nothing is left to run" in out

    def test_on_other_data_it_is_not_done(self, planned, photos, config):
        folder = ("dataset=folder", f"dataset.path={photos}", "grid.batch_number=3")
        (run,) = planned(*folder)["runs"]
        assert run["data_fingerprint"]
        finish(run, config, data="other")
        assert planned(*folder)["runs"][0]["done"] is None
        finish(run, config, data=run["data_fingerprint"])
        assert planned(*folder)["runs"][0]["done"]["data_fingerprint"] == run["data_fingerprint"]

    def test_a_bucket_is_looked_into_only_if_a_run_of_that_kind_finished(
        self, call, planned, config, bucket, storage_server
    ):
        storage.write_bytes(f"{bucket}/daisy/1.jpg", b"1")
        storage_server.counted()
        folder = ("dataset=folder", f"dataset.path={bucket}")
        (run,) = planned(*folder)["runs"]
        assert storage_server.seen == []
        finish(run, config, data="other")
        (run,) = planned(*folder)["runs"]
        assert run["done"] is None
        finish(run, config, data=run["data_fingerprint"])
        assert "done      1 run of 1 before" in call(*folder)[1]
        storage_server.faults = [("GET", 403, "No")] * 3
        _, out, _ = call(*folder, "skip_finished=true")
        assert out.startswith("1 run in 1 job")
        assert "unseen    1 run of 1 ran before on data that cannot be listed from here" in out

    def test_clusters_side_by_side_take_the_time_of_the_longest(self, planned, config):
        for run, cores in zip(planned("-m", "cluster.cores=1,2,3")["runs"], (1, 2, 3), strict=True):
            finish(run, replace(config, cluster=replace(config.cluster, cores=cores)), seconds=10.0 * cores)
        sweep = ("-m", "cluster.cores=1,2,3")
        assert planned(*sweep)["estimated_seconds"] == pytest.approx(60)
        assert planned(*sweep, "hydra.launcher.max_clusters=2")["estimated_seconds"] == pytest.approx(40)

    def test_the_time_is_unknown_where_one_run_s_is(self, call, planned, config):
        finish(planned()["runs"][0], config)
        _, out, _ = call("-m", "entrypoint=read_speed,write_shards")
        assert "time      unknown: 1 of 2 runs are the first of their kind" in out


class TestASearchForACluster:
    SEARCH = ("-m", "hydra/sweeper=cluster_search")
    CLOUD = (*SEARCH, "gcp.project=p", "cluster=single_node,four_nodes,eight_nodes")

    def test_its_candidates_and_what_they_cost_at_most(self, call, planned):
        code, out, err = call(*self.CLOUD, "hydra.sweeper.max_runs=2", "budget.usd=0.03")
        assert (code, err) == (0, "")
        assert out.startswith("a search for the cheapest of 3 clusters, 2 runs at most; nothing is started")
        assert "for the 2 most expensive clusters, as many as may be tried, by the shipped prices of" in out
        assert "budget    $0.03, enough to begin" in out
        found = planned(*self.CLOUD, "hydra.sweeper.max_runs=2")
        single, four, eight = found["clusters"]
        assert found["usd"] == pytest.approx(four["usd"] + eight["usd"])
        assert single["usd"] < four["usd"]
        assert (found["search"]["most_runs"], found["search"]["objective"]) == (2, "cost")
        assert planned(*self.CLOUD, "hydra.sweeper.rule=exhaustive")["search"]["most_runs"] == 3
        assert planned()["search"] is None

    def test_its_smoke_runs(self, call, planned):
        smoke = (*self.CLOUD, "hydra.sweeper.max_runs=2", "hydra.sweeper.smoke=true")
        code, out, err = call(*smoke)
        assert (code, err) == (0, "")
        assert out.startswith("a search for the cheapest of 3 clusters, 3 smoke runs and 2 runs at most")
        assert "for a smoke run on each and the 2 most expensive clusters" in out
        found = planned(*smoke)
        assert found["usd"] > planned(*self.CLOUD)["usd"], "each smoke run has its cluster started for it"
        assert (found["search"]["smoke"], found["search"]["smoke_runs"]) == (True, 3)
        assert "hydra.sweeper.smoke: a smoke run takes 2.000% of the files" in call(*smoke, "sampling=smoke")[2]
        assert "hydra.sweeper.smoke" in call(*self.CLOUD, "hydra.sweeper.smoke=some")[2]

    def test_what_finished_before_is_not_run(self, call, planned, config, tmp_path):
        arguments = (*self.SEARCH, "hydra.sweeper.objective=time", "cluster.cores=1,2")
        made = config(f"home={tmp_path}", "cluster.cores=1")
        finish(planned(*arguments)["runs"][0], made)
        assert call(*arguments)[1].startswith("a search for the fastest of 2 clusters, 1 run at most")

    def test_what_it_would_refuse(self, call):
        assert "cores=1 has no price, and the search is for the cheapest" in call(*self.SEARCH, "cluster.cores=1,2")[2]
        assert "grid differs" in call(*self.SEARCH, "grid.reader=tfrecords,image_files")[2]


class TestWhatCostsMoney:
    CLOUD = ("-m", "gcp.project=p", "cluster=single_node,eight_nodes", "caching=true,false", "sweep.order=interleaved")

    def test_clusters_are_described_priced_and_checked(self, call):
        code, out, err = call(*self.CLOUD)
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert "job 0     single_node: dataproc us-central1, 1 x n1-standard-8 (pd-ssd 100 GB): spark_entry" in out
        assert sum(line.startswith("cost      ") for line in lines) == 3
        assert "single_node: $0.483 an hour (machines 0.380, disks 0.023, Dataproc 0.080); at least $0.02 for" in out
        assert "cost      at least $0.05 in all, by the shipped prices of 2026-08-20" in out
        assert (
            "quota     single_node: 8 vCPUs, 0 external addresses, 100 GB of SSD, 0 GB of standard disks: fits" in out
        )
        assert "quota     refused: cluster eight_nodes needs" in out
        assert "limits    eight_nodes: 14 vCPUs for tasks, network 1,250 MB/s, disk 34 MiB/s a machine" in out
        assert "budget   " not in out

    def test_as_json(self, planned):
        found = planned(*self.CLOUD, "budget.usd=1")
        one, eight = found["clusters"]
        assert one["usd_per_hour"]["total"] == pytest.approx(0.4833, abs=1e-4)
        assert (one["runs"], one["runs_of_unknown_length"], one["quota"]["vcpus"]) == (2, 2, 8)
        assert (one["quota_refuses"], one["limits"]["limit/vcpus"]) == (None, 8)
        assert "16 vCPUs of 8" in eight["quota_refuses"]
        assert found["usd"] == pytest.approx(one["usd"] + eight["usd"])
        assert (found["usd_is_complete"], found["budget_usd"], found["budget_refuses"]) == (False, 1, None)

    def test_this_machine_costs_nothing(self, call, planned):
        assert "cost" not in call()[1]
        assert (planned()["usd"], planned()["usd_is_complete"]) == (0, True)

    def test_by_the_time_of_earlier_runs(self, call, planned, config, tmp_path):
        arguments = ("gcp.project=p", "cluster=single_node")
        made = config(f"home={tmp_path}", *arguments)
        finish(planned(*arguments)["runs"][0], made, seconds=3600 - 120)
        assert planned(*arguments)["usd"] == pytest.approx(0.4833, abs=1e-4)
        assert planned(*arguments)["usd_is_complete"]
        assert "cost      about $0.48 in all" in call(*arguments)[1]
        _, out, _ = call(*arguments, "budget.usd=0.4")
        assert "budget    refused: this would cost about $0.48, more than the budget of $0.40" in out
        assert "budget    $0.50, above the forecast" in call(*arguments, "budget.usd=0.5")[1]

    def test_what_would_be_refused_at_the_start_is_said(self, call):
        out = call("cluster=four_nodes", "gcp.project=p", "cluster.autoscaling_policy=mine")[1]
        assert "refused   cluster.autoscaling_policy: read_speed measures, and a cluster with a policy" in out
        assert "refused" not in call("cluster=four_nodes", "gcp.project=p")[1]

    def test_without_a_price(self, call):
        _, out, _ = call("gcp.project=p", "cluster=single_node", "gcp.region=mars-north1", "budget.usd=1")
        assert "cost      single_node: unknown, there is no price of the region mars-north1" in out
        assert "budget    refused: there is no price of the region mars-north1" in out


class TestTheBudgetOfARun:
    @pytest.fixture
    def runs(self, config, tmp_path):
        def runs(*overrides):
            made = config(f"home={tmp_path}", "gcp.project=p", "cluster=single_node", *overrides)
            return [PlannedRun("a", made, tmp_path, ""), PlannedRun("b", made, tmp_path, "")]

        return runs

    def test_nothing_is_refused_that_may_fit(self, runs):
        check_budget(runs())
        check_budget(runs("budget.usd=0.02"))

    def test_what_cannot_fit_is_refused(self, runs):
        with pytest.raises(BudgetError, match=r"budget.usd: this would cost at least \$0.02.* budget of \$0.01"):
            check_budget(runs("budget.usd=0.01"))

    def test_finished_runs_cost_nothing_where_they_are_left_out(self, runs):
        config = runs()[0].config
        for key in ("a", "b"):
            finish({"run_key": key, "measurements": 54, "entrypoint": "read_speed"}, config, seconds=36_000.0)
        check_budget(runs("budget.usd=0.01", "skip_finished=true"))
        with pytest.raises(BudgetError, match=r"about \$9.6"):
            check_budget(runs("budget.usd=0.01"))

    def test_nobody_can_tell(self, runs):
        with pytest.raises(
            BudgetError, match=r"no price of the region mars-north1.*; set budget.prices=live, or add it to"
        ):
            check_budget(runs("budget.usd=5", "gcp.region=mars-north1"))


MISTAKES = [
    (["grid=quik"], "command line: there is no grid=quik; did you mean 'quick'?"),
    (["cachign=false"], "command line: unknown key cachign; did you mean 'caching'?"),
    (["caching=true,false"], "command line: caching=true,false is a sweep over several values; add -m to plan"),
    (["word"], "command line: 'word' cannot be read as KEY=VALUE"),
    (["-m", "measure.seed=1,-1"], "command line: run 1 (measure.seed=-1): measure.seed=-1 must be 0 or more"),
    (["-m", "grid=quick,quik"], "command line: run 1 (grid=quik): there is no grid=quik; did you mean 'quick'?"),
    (["-m", "cachign=1,2"], "command line: run 0 (cachign=1): unknown key cachign; did you mean 'caching'?"),
    (["-m", "+cluster.wrokers=1,2"],
     "command line: run 0 (cluster.wrokers=1): unknown key cluster.wrokers; did you mean 'cluster.cores'?"),
    (["-m", "entrypoint.script=none.py,x.py"],
     "entrypoint.script: run 0 (entrypoint.script=none.py): there is no script none.py; give its path"),
    (["-m", "experiment=caching,notebook"],
     "sweep: run 0 (experiment=caching): its config has sweep axes of its own"),
    (["-m", "sweep.zip=[{measure.seed:[1],repeat:[1,2]}]"], "sweep.zip: measure.seed has 1 values"),
    (["-m", "measure.seed=interval(0,1)"], "command line: measure.seed=interval(0,1): an interval has no values"),
    (["experiment=caching", "sweep.exclude=[{caching:true},{caching:false}]"], "sweep.exclude: none of 2 runs is left"),
    (["--config-dir", "nowhere"], "command line: --config-dir: nowhere is not a folder"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[one[1] for one in MISTAKES])
def test_a_mistake_is_one_line_that_names_the_run(call, tmp_path, arguments, message):
    code, out, err = call(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"flowerexp: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_folders_that_runs_would_share_are_refused(call):
    code, _, err = call("-m", "caching=true,false", "hydra.sweep.subdir='p-${preprocess.shards}'")
    assert code == 1
    assert "hydra.sweep.subdir: run 0 and run 1 would share the folder p-16" in err
    assert call("-m", "caching=true,false", "hydra.sweep.subdir='p-${caching}'")[0] == 0


def test_writes_nothing_and_imports_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom flowerexp import cli\n"
        "try:\n    cli.main(['plan', '-m', 'cluster=local,four_nodes', 'gcp.project=p', 'skip_finished=true'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = {**os.environ, "FLOWEREXP_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert list(tmp_path.iterdir()) == []


COMPLETIONS = [
    ("flowerexp plan grid=", "grid=quick"),
    ("flowerexp plan -m grid=w", "grid=wide"),
    ("flowerexp plan ", "grid="),
    ("flowerexp pl", "plan"),
]


@pytest.mark.parametrize(("line", "wanted"), COMPLETIONS)
def test_completion(line, wanted):
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    done = subprocess.run(
        [sys.executable, "-m", "flowerexp", "-sc", "query=bash"], env=environment, capture_output=True, text=True
    )
    assert wanted in done.stdout.split(), done.stdout


def test_the_help_names_it():
    assert "plan [-m]" in page()


@pytest.mark.parametrize(("seconds", "text"), [(3.4, "3 s"), (89, "89 s"), (300, "5 min"), (7200, "2.0 h")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_every_combination_of_three_axes_is_a_run_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = forecast(["preprocess.shards=range(1,6)", "measure.repetitions=range(1,6)", "measure.seed=range(0,6)"], True)
    assert len({item.run.run_key for item in made.items}) == 5 * 5 * 6
