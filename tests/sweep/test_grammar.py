"""The sweep's grammar: Hydra's own product, and beside it axes, zips, exclusions and repeats."""

import resource

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from flowerexp import app as application
from flowerexp.errors import ConfigError
from flowerexp.sweep import grammar
from flowerexp.sweep.grammar import expand
from flowerexp.sweep.labels import labels, refuse_sweep_within
from flowerexp.sweep.values import comparable


@pytest.fixture(scope="module")
def app():
    yield application.create()
    GlobalHydra.instance().clear()


@pytest.fixture(scope="module")
def loader(app):
    return app.config_loader


@pytest.fixture
def runs(loader):
    """`runs("a=1,2", axes={...})` are the runs of a sweep, each as one line."""
    return lambda *overrides, **sweep: [" ".join(run) for run in expand(overrides, sweep, loader)]


@pytest.fixture
def refused(runs):
    def refused(*overrides, **sweep):
        with pytest.raises(ConfigError) as caught:
            runs(*overrides, **sweep)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


HYDRA = [
    [],
    ["a=1"],
    ["a=1,2"],
    ["a=1,2", "b=3,4", "c=5"],
    ["c=5", "b=3,4", "a=1,2"],
    ["a=range(1,4)", "b=range(0,1,0.25)"],
    ["a=choice(x,y)", "b=sort(3,2,1)", "c=sort(1,2,reverse=true)"],
    ["grid=quick,wide", "cluster=local"],
    ["grid=glob(*)"],
    ["grid=glob([q*,w*],exclude=quick)", "a=1,2"],
    ["a='x y','z,w'", 'b="it\'s"'],
    ["a=[1,2],[3]", "b={x:1},{y:null}"],
    ["a=null,true,False", "b=1e-5,inf"],
    ["+a=1,2", "++b=3,4", "~c", "~d=1"],
    ["a=1,2", "a=3"],
    ["a=1", "b=1,2", "a=3,4"],
    ["grid@x=quick,wide"],
    ["a=tag(t,choice(1,2))"],
    [r"a=x\,y,z", "b=${c},${d}"],
    ["a=", "b="],
]


@pytest.mark.parametrize("overrides", HYDRA, ids=" ".join)
def test_without_anything_of_ours_it_is_hydra_s_product(loader, overrides):
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(overrides)
    assert [expand(overrides, {}, loader)] == BasicSweeper.split_arguments(parsed, None)
    ours = {"repeats": 1, "axes": {}, "zip": [], "exclude": []}
    assert expand(overrides, ours, loader) == expand(overrides, {}, loader)


def test_a_shuffle_has_each_value_once(runs):
    assert sorted(runs("a=shuffle(range(1,6))")) == [f"a={number}" for number in range(1, 6)]


class TestAxes:
    def test_the_last_varies_fastest(self, runs):
        assert runs(axes={"a": [1, 2], "caching": [True, False]}) == [
            "a=1 caching=True", "a=1 caching=False", "a=2 caching=True", "a=2 caching=False",
        ]  # fmt: skip

    def test_the_command_line_s_vary_slowest_and_zips_come_between(self, runs):
        found = runs("x=1,2", "y=0", axes={"a": [1, 2]}, zip=[{"z": [1, 2]}])
        assert found[:3] == ["x=1 y=0 z=1 a=1", "x=1 y=0 z=1 a=2", "x=1 y=0 z=2 a=1"]
        assert len(found) == 8

    @pytest.mark.parametrize(
        ("values", "written"),
        [
            ("true,false", ["a=True", "a=False"]),
            ("range(1,4)", ["a=1", "a=2", "a=3"]),
            ("one", ["a=one"]),
            (3, ["a=3"]),
            ([None, 1.5, 1e-7], ["a=null", "a=1.5", "a=1e-07"]),
            (["plain", "two words", "a,b", "", "1", "true", "null", "it's"],
             ["a=plain", "a='two words'", "a='a,b'", "a=''", "a='1'", "a='true'", "a='null'", r"a='it\'s'"]),
            ([["x", "y z"], []], ["a=[x,'y z']", "a=[]"]),
            ([{"k": "v w", "n": {"m": [1, None]}}], ["a={k:'v w',n:{m:[1,null]}}"]),
            (["${other.key}"], ["a='${other.key}'"]),
            (["gs://bucket/path"], ["a='gs://bucket/path'"]),
        ],
    )  # fmt: skip
    def test_values_become_overrides_that_mean_the_same(self, runs, values, written):
        assert runs(axes={"a": values}) == written

    @given(
        value=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True),
                                                                        inner, max_size=3),
        )
    )  # fmt: skip
    def test_any_value_comes_back_or_is_refused(self, loader, value):
        try:
            ((override,),) = expand([], {"axes": {"key": [value]}}, loader)
        except ConfigError:
            return  # Hydra's grammar has no words for some keys
        assert repr(OverridesParser.create().parse_override(override).value()) == repr(value)

    def test_groups(self, runs):
        assert runs(axes={"grid": ["quick", "wide"]}) == ["grid=quick", "grid=wide"]
        assert runs(axes={"cluster": "glob(lo*)"})[0] == "cluster=local"

    def test_new_keys(self, runs):
        assert runs(axes={"+cluster.spark.x": [1, 2]}) == ["+cluster.spark.x=1", "+cluster.spark.x=2"]

    @pytest.mark.parametrize("fixed", ["caching=true", "++caching=true", "caching=true,false"])
    def test_the_command_line_replaces_an_axis(self, runs, fixed):
        found = runs(fixed, axes={"caching": [1, 2, 3], "a": [1, 2]})
        assert all(run.count("caching") == 1 for run in found)
        assert len(found) == (4 if "," in fixed else 2)

    def test_nested_keys_are_keys_with_dots(self, runs):
        assert runs(axes={"measure": {"seed": [1, 2]}}) == runs(axes={"measure.seed": [1, 2]})

    def test_a_node_of_a_config(self, loader):
        node = OmegaConf.create({"n": 3, "axes": {"a": "range(1,${n})", "b.c": [True]}})
        assert expand([], node, loader) == [["a=1", "b.c=True"], ["a=2", "b.c=True"]]
        with pytest.raises(ConfigError, match="nope"):
            expand([], OmegaConf.create({"axes": {"a": "${nope}"}}), loader)


@pytest.mark.parametrize("sweep", [None, 3, "a", [1]])
def test_a_sweep_that_is_no_group_of_keys_is_refused(loader, sweep):
    with pytest.raises(ConfigError, match=r"sweep=.* must be a group of keys"):
        expand(["a=1"], sweep, loader)


class TestZip:
    def test_keys_move_together(self, runs):
        found = runs(zip=[{"a": [1, 2], "grid": ["quick", "wide"], "c": "range(5,7)"}, {"d": [8, 9]}])
        assert found == [
            f"a={a} grid={grid} c={a + 4} d={d}" for a, grid in ((1, "quick"), (2, "wide")) for d in (8, 9)
        ]

    def test_a_key_of_the_command_line_leaves_its_zip(self, runs):
        assert runs("a=7", zip=[{"a": [1, 2, 3], "b": [3, 4]}]) == ["a=7 b=3", "a=7 b=4"]
        assert runs("a=7", "b=8", zip=[{"a": [1, 2], "b": [3, 4]}]) == ["a=7 b=8"]


class TestExclude:
    def test_leaves_out_runs_in_which_all_matches(self, runs):
        axes = {"caching": [True, False], "grid.reader": ["tfrecords", "image_files"]}
        found = runs(axes=axes, exclude=[{"caching": False, "grid.reader": "image_files"}])
        assert found == ["caching=True grid.reader=tfrecords", "caching=True grid.reader=image_files",
                         "caching=False grid.reader=tfrecords"]  # fmt: skip
        assert runs(axes=axes, exclude=[{"caching": False}, {"grid.reader": "tfrecords"}]) == [
            "caching=True grid.reader=image_files"
        ]

    @pytest.mark.parametrize(
        ("axis", "value"),
        [("true,false", "true"), ("true,false", True), ([True, False], "True"), ("1,2", 1.0), (["1", "2"], 1),
         ("null,1", None), (["a b", "c"], "a b"), ("[1,2],[3]", [1, 2]), ("{x:1},{y:2}", {"x": 1}),
         ("quick,wide", "quick"), ("'a b',c", "'a b'")],
    )  # fmt: skip
    def test_values_are_compared_by_what_they_mean(self, runs, axis, value):
        assert len(runs(axes={"k": axis}, exclude=[{"k": value}])) == 1

    def test_one_is_not_true(self, runs):
        assert len(runs(axes={"k": [1, True]}, exclude=[{"k": True}])) == 1
        assert comparable(1) != comparable(True)
        assert comparable("1") == comparable(1)

    def test_sees_the_command_line_groups_zips_and_repeats(self, runs):
        found = runs("grid=quick,wide", "+new=1", zip=[{"z": [1, 2]}], repeats=2,
                     exclude=[{"grid": "wide", "z": 2}, {"grid": "wide", "repeat": 2}, {"new": 2}])  # fmt: skip
        assert found == ["grid=quick +new=1 z=1 repeat=1", "grid=quick +new=1 z=2 repeat=1",
                         "grid=wide +new=1 z=1 repeat=1",
                         "grid=quick +new=1 z=1 repeat=2", "grid=quick +new=1 z=2 repeat=2"]  # fmt: skip


def test_repeats_are_blocks_around_it_all(runs):
    assert runs("a=1,2", repeats=2) == ["a=1 repeat=1", "a=2 repeat=1", "a=1 repeat=2", "a=2 repeat=2"]
    assert runs("repeat=3", repeats=1) == ["repeat=3"]


REFUSED = [
    (["a=1"], {"zip": [{"b": [1, 2], "c": [1, 2, 3]}]}, "sweep.zip: b has 2 values, c has 3 values"),
    (["a=1"], {"zip": [{"b": [1, 2], "c": "1,2,3"}]}, "sweep.zip: b has 2 values, c has 3 values"),
    (["a=interval(0,1)"], {}, "command line: a=interval(0,1): an interval has no values"),
    ([], {"axes": {"a": "interval(0,1)"}}, "sweep.axes: a=interval(0,1): an interval has no values"),
    ([], {"axes": {"a": []}}, "sweep.axes: a has no values"),
    ([], {"axes": {"a": None}}, "sweep.axes: a has no values"),
    ([], {"axes": {"a": "range(3,3)"}}, "sweep.axes: a=range(3,3) has no values"),
    ([], {"axes": {"grid": "glob(zzz*)"}}, "sweep.axes: grid=glob(zzz*) has no values"),
    (["grid=glob(zzz*)"], {}, "command line: grid=glob(zzz*) has no values"),
    ([], {"axes": {"a": "range(1,3,0)"}}, "sweep.axes: a=range(1,3,0): "),
    ([], {"axes": [1]}, "sweep.axes: [1] is not a mapping"),
    ([], {"axes": "caching"}, "sweep.axes: caching is not a mapping"),
    ([], {"axes": {"a b": [1]}}, "sweep.axes: 'a b=0' cannot be read"),
    ([], {"axes": {"a": "[1"}}, "sweep.axes: 'a=[1' cannot be read"),
    ([], {"axes": {"hydra.job.name": ["x"]}}, "sweep.axes: hydra.job.name cannot be swept over"),
    ([], {"axes": {"hydra/launcher": ["x"]}}, "sweep.axes: hydra/launcher cannot be swept over"),
    ([], {"axes": {"sweep.repeats": [1, 2]}}, "sweep.axes: sweep.repeats cannot be swept over"),
    (["sweep.repeats=1,2"], {}, "command line: sweep.repeats=1,2 cannot be swept over, because it describes the sweep"),
    ([], {"axes": {"a": [1]}, "zip": [{"a": [2]}]}, "sweep.axes: a is an axis twice; sweep.zip has it already"),
    ([], {"axes": {"a": [1], "+a": [2]}}, "sweep.axes: a is an axis twice"),
    ([], {"zip": [{"a": [1]}, {"a": [2]}]}, "sweep.zip: a is an axis twice"),
    ([], {"zip": [1]}, "sweep.zip: 1 is not a mapping"),
    ([], {"exclude": ["a"]}, "sweep.exclude: a is not a mapping"),
    (["a=1"], {"exclude": [{}]}, "sweep.exclude: {} would leave out every run"),
    ([], {"axes": {"caching": [1, 2]}, "exclude": [{"cachign": 1}]},
     "sweep.exclude: no run sets cachign: it is neither an axis nor an override; did you mean 'caching'?"),
    (["a=1,2"], {"exclude": [{"a": 1}, {"a": 2}]}, "sweep.exclude: none of 2 runs is left"),
    ([], {"repeats": 0}, "sweep.repeats: 0 must be"),
    ([], {"repeats": True}, "sweep.repeats: True must be"),
    ([], {"repeats": "2"}, "sweep.repeats: 2 must be"),
    (["repeat=1"], {"repeats": 2}, "command line: repeat is set twice; sweep.repeats sets it"),
    ([], {"axes": {"repeat": [1]}, "repeats": 2}, "sweep.axes: repeat is set twice"),
    (["a=range(0,1000)", "b=range(0,1000)"], {}, "sweep: 1,000,000 runs are more than 100,000"),
    (["a=range(0,1000000000)"], {}, "command line: a=range(0,1000000000): 1,000,000,000 runs are more than 100,000"),
    (["a=range(0,1,1e-12)"], {}, "command line: a=range(0,1,1e-12): 1,000,000,000,000 runs are more"),
    (["a=shuffle(range(1000000000,0,-1))"], {}, "command line: a=shuffle(range(1000000000,0,-1)): 1,000,000,000 runs"),
    (["a=range(0,inf)"], {}, "command line: a=range(0,inf): endlessly many runs are more than 100,000"),
    (["a=range(0,nan)"], {}, "command line: a=range(0,nan): endlessly many runs are more than 100,000"),
    ([f"a=range(0,1{'0' * 400})"], {}, f"command line: a=range(0,1{'0' * 400}): endlessly many runs"),
    ([], {"axes": {"a": "range(0,1000000000)"}}, "sweep.axes: a=range(0,1000000000): 1,000,000,000 runs"),
    ([], {"zip": [{"a": "range(0,1000000000)"}]}, "sweep.zip: a=range(0,1000000000): 1,000,000,000 runs"),
    ([], {"repeats": 10**9}, "sweep.repeats: 1,000,000,000 runs are more than 100,000"),
    (["a=range(0,50000)", "b=range(0,50000)", "c=range(0,50000)"], {}, "sweep: 125,000,000,000,000 runs are more"),
    (["a=[1"], {}, "command line: 'a=[1' cannot be read"),
    (["word"], {}, "command line: 'word' cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "sweep", "message"), REFUSED, ids=[one[2][:60] for one in REFUSED])
def test_what_makes_no_sense_is_refused_with_its_place(refused, overrides, sweep, message):
    assert refused(*overrides, **sweep).startswith(message)


def test_sweeps_over_too_much_are_counted_not_made(loader):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for overrides, sweep in ((["a=range(0,1000000000)"], {}), (["a=1"], {"repeats": 10**9})):
        with pytest.raises(ConfigError, match="1,000,000,000 runs"):
            expand(overrides, sweep, loader)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_labels_hold_what_differs(runs):
    made = [["grid=quick", "x=0", "+a=1"], ["grid=wide", "x=0", "+a=True"]]
    assert labels(made) == [{"grid": "quick", "a": "1"}, {"grid": "wide", "a": "true"}]
    assert labels([["a=1"]]) == [{"a": "1"}]


def test_a_sweep_within_a_sweep_is_refused():
    sweep = OmegaConf.create({"axes": {"a": "${b}"}, "repeats": 2})
    refuse_sweep_within(sweep.copy(), sweep)
    with pytest.raises(ConfigError, match="one at a time"):
        refuse_sweep_within(OmegaConf.create({"axes": {"a": [1]}, "repeats": 2}), sweep)


class TestShippedExperiments:
    def runs(self, app, *overrides):
        master = app.compose_config("config", list(overrides), RunMode.RUN)
        assert master.hydra.mode == RunMode.MULTIRUN
        return [" ".join(one[1:]) for one in grammar.expand(overrides, master.sweep, app.config_loader)]

    def test_caching_in_adjacent_pairs(self, app):
        assert self.runs(app, "experiment=caching", "preprocess.shards=2") == [
            "preprocess.shards=2 caching=True", "preprocess.shards=2 caching=False",
        ]  # fmt: skip

    def test_partitions(self, app):
        assert self.runs(app, "experiment=partitions") == [f"preprocess.shards={n}" for n in (2, 4, 8, 16, 32)]

    def test_notebook(self, app):
        assert self.runs(app, "experiment=notebook") == [
            f"preprocess.shards={n} caching={caching}" for n in (2, 16) for caching in (True, False)
        ]
        config = app.compose_config("config", ["experiment=notebook"], RunMode.RUN)
        assert config.grid.batch_size == [2, 4, 6, 8]
        assert config.hydra.runtime.choices.grid == "notebook"
        assert app.compose_config("config", ["experiment=notebook", "grid=quick"], RunMode.RUN).grid.batch_size == [
            2,
            4,
            8,
        ]
