"""Fast composition gives what Hydra's own gives, value for value and error for error."""

import copy
import functools
from datetime import datetime

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from flowerexp import app as application
from flowerexp.config import check
from flowerexp.config.overrides import Parser, forced
from flowerexp.errors import ConfigError
from flowerexp.sweep.compose import Composer

pytestmark = pytest.mark.slow

FILES = {
    "cluster/other.yaml": "defaults: [local]\ncores: 2\nspark: {spark.local.dir: '${home}/x'}\n",
    "cluster/odd.yaml": "# @package cluster\nkind: local\nmemory: ${oc.env:NO_SUCH_VARIABLE,3g}\n",
    "grid/tiny.yaml": "defaults: [quick]\nbatch_size: [2]\nbatch_number: ['${preprocess.shards}']\n",
    "experiment/both.yaml": "# @package _global_\ndefaults:\n  - override /grid: tiny\n  - override /cluster: other\n"
    "caching: false\nreader: [tfrecords]\nsweep: {axes: {caching: [true, false], preprocess.shards: [1, 2]}}\n"
    "hydra: {mode: MULTIRUN}\n",
    "experiment/nested.yaml": "# @package _global_\ndefaults: [both, override /sampling: smoke]\nsampling: {seed: 7}\n",
    "experiment/asks_hydra.yaml": "# @package _global_\nentrypoint:\n  settings:\n    job: ${hydra:job.name}\n"
    "    grid: {chosen: '${hydra.runtime.choices.grid}', list: [1, '${hydra:job.config_name}']}\n",
    "experiment/moment.yaml": "# @package _global_\nentrypoint: {settings: {at: '${now:%f}', key: '${unique:}'}}\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return application.create(str(folder))


@pytest.fixture(scope="module")
def composer(app):
    """One for all, as in a sweep: nothing of a run may be left in the next one."""
    return Composer(app, "config")


@pytest.fixture(autouse=True)
def _no_global_hydra():
    yield
    GlobalHydra.instance().clear()


OVERRIDES = [
    [],
    ["caching=false"],
    ["caching=True"],
    ["preprocess.shards=3"],
    ["preprocess.shards=3", "preprocess.shards=4"],
    ["preprocess={partitions:3}"],
    ["preprocess.target_size=[64,32]"],
    ["grid.reader=tfrecords"],
    ["grid.reader=[tfrecords]"],
    ["grid.reader=[tfrecords,'image_files']"],
    ["sampling.fraction=1e-2"],
    ["sampling.fraction=.5", "sampling.seed=1_000"],
    ["cluster.cores=null"],
    ["cluster.cores="],
    ["cluster.cores=2", "cluster.memory=2g"],
    ["+cluster.spark.x=1"],
    ["++cluster.spark.x=1", "++cluster.spark.x=2", "++cluster.cores=3"],
    ["+cluster.spark={spark.a:1,b:{c:[1,2,{d:null}]}}"],
    ["+entrypoint.settings.x.y.z=deep"],
    ["~cluster.spark"],
    ["~cluster.memory=1g"],
    ["~cluster.memory", "+cluster.memory=4g"],
    ["+preprocess.shards.deeper=1"],
    ["~preprocess"],
    ["+entrypoint.settings.a='two words, and a comma'"],
    ['+entrypoint.settings.a="it\'s"'],
    ["+entrypoint.settings.a='1'"],
    ["+entrypoint.settings.a=''"],
    ["+entrypoint.settings.a='null'", "+entrypoint.settings.b=null", "+entrypoint.settings.c='true'"],
    [r"+entrypoint.settings.a=a\,b\ c", r"+entrypoint.settings.b='\\a'"],
    ["+entrypoint.settings.a=[]", "+entrypoint.settings.b={}"],
    ["+entrypoint.settings.a=[1,[2,[3,null]],'x y']"],
    ["+entrypoint.settings.a=${caching}", "caching=false"],
    ["+entrypoint.settings.a='${preprocess.shards} of ${grid.batch_size}'"],
    [r"+entrypoint.settings.a='\${literal}'"],
    ["+entrypoint.settings.a=${oc.env:NO_SUCH_VARIABLE,5}"],
    ["+entrypoint.settings.a=${.b}", "+entrypoint.settings.b=2"],
    ["home=/somewhere/else"],
    ["home=/a", "storage.prepared=${home}/b", "storage.generated=gs://bucket/c"],
    ["grid=wide"],
    ["grid=wide", "grid.batch_size=[1]"],
    ["grid.batch_size=[1]", "grid=wide"],
    ["grid=tiny", "preprocess.shards=5"],
    ["grid={batch_size:[9]}"],
    ["grid='wide'"],
    ["cluster=other"],
    ["cluster=odd", "++cluster.cores=1"],
    ["dataset=folder", "dataset.path=/photographs"],
    ["dataset=folder"],
    ["dataset=flowers", "sampling=smoke"],
    ["sampling=smoke", "grid=notebook"],
    ["+measure@entrypoint.settings=quick"],
    ["+measure@entrypoint.settings=quick", "entrypoint.settings.seed=3"],
    ["~experiment"],
    ["experiment=both"],
    ["experiment=both", "grid=wide", "caching=true"],
    ["experiment=both", "sweep.repeats=3", "repeat=2", "+sweep.axes.seed=[1,2]"],
    ["experiment=nested", "sampling.seed=8"],
    ["sweep.zip=[{a.b:[1,2],c:[3,4]}]", "sweep.exclude=[{a.b:1}]"],
    ["+sweep.axes={preprocess.shards:[1,2],cluster:[a,'b c']}"],
    ["hydra.job.chdir=true", "caching=false"],
    ["hydra/job_logging=none", "caching=false"],
    ["entrypoint=write_shards", "tracking.uri=http://u:p@h:1/x", "tracking.artifacts=null"],
]


@functools.cache
def master_of(app):
    """A sweep's own config, which is composed before any run's, without what the runs differ in."""
    return app.compose_config("config", [], RunMode.MULTIRUN)


def composed_by_hydra(app, overrides):
    return app.config_loader.load_sweep_config(copy.deepcopy(master_of(app)), overrides)


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_gives_what_hydra_gives(app, composer, overrides):
    composer.compose(["measure.seed=5", "+cluster.spark.stranger=1"])  # of which nothing may be left in the next run
    made, wanted = composer.compose(overrides), composed_by_hydra(app, overrides)
    plain = application.without_hydra(wanted)
    assert OmegaConf.to_yaml(made.config) == OmegaConf.to_yaml(plain)  # the order of keys, too
    assert made.config == plain
    assert "hydra" not in made.config
    assert made.overrides == OmegaConf.to_container(wanted.hydra.overrides.task, resolve=False)
    assert made.choices == dict(wanted.hydra.runtime.choices)
    assert made.origin.folders == application.origin_of(master_of(app)).folders
    assert flags(made.config) == flags(plain)
    assert answer(made.config) == answer(plain)


@pytest.mark.parametrize(
    "value", ["1", "1.0", "null", "[9,'a b']", "{a:1,b:[c]}", "'x y'", "a b", "2024_10", "${a.b}", ""]
)
@pytest.mark.parametrize("key", ["grid.batch_size", "entrypoint.settings.n", "sweep.axes", "+grid.x", "measure.seed",
                                 "cluster.spark.spark.x.y", "+cluster.spark.spark.x"])  # fmt: skip
def test_a_line_that_is_read_once_means_what_it_means_with_a_plus(composer, key, value):
    line = f"{key}={value}"
    assert composer._forced(line) == Parser.create().parse_override(forced(line))


def test_there_are_enough_cases():
    assert len(OVERRIDES) >= 45


def answer(config):
    """What becomes of a config: its plain values, or why it has none."""
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except Exception as error:
        return f"{type(error)}: {error}"


def flags(node):
    own = (node._get_flag("struct"), node._get_flag("readonly"), node._get_flag("allow_objects"))
    return own, {key: flags(one) for key, one in node.items_ex(resolve=False) if OmegaConf.is_dict(one) and one}


MISTAKES = [
    ["grid=quik"],
    ["gird=quick"],
    ["cachign=false"],
    ["preprocess.partitons=1", "grid=wide"],
    ["+caching=false"],
    ["~cachign"],
    ["~grid=wide"],
    ["~cluster.memory=5g"],
    ["caching=a b=c"],
    ["caching=[1"],
    ["caching"],
    ["caching=true,false"],
    ["preprocess.shards=range(1,3)"],
    ["grid@here=quick"],
    ["caching@here=true"],
    ["++grid=wide"],
    ["experiment=none_such"],
    ["caching.deeper=1"],
    ["~cluster.cores", "+cluster.cores=4"],
    ["+experiment=nested"],
    ["hydra.no_such=1"],
]


@pytest.mark.parametrize("overrides", MISTAKES, ids=" ".join)
def test_a_mistake_is_explained_as_for_a_single_run(app, overrides):
    with pytest.raises(ConfigError) as wanted:
        app.compose_config("config", overrides, RunMode.RUN)
    with pytest.raises(ConfigError) as made:
        Composer(app, "config").compose(overrides)
    assert str(made.value) == str(wanted.value)
    assert "\n" not in str(made.value)


def test_a_mistake_leaves_the_composer_usable(app):
    composer = Composer(app, "config")
    with pytest.raises(ConfigError):
        composer.compose(["preprocess.shards=7", "no_such=1"])
    assert composer.compose([]).config.preprocess.shards == 16


def test_runs_share_nothing(app):
    composer = Composer(app, "config")
    first, second = composer.compose(["caching=false"]), composer.compose([])
    before = copy.deepcopy(second.config)
    first.config.preprocess.target_size.append(3)
    first.config.cluster.memory = "9g"
    assert second.config == before
    assert composer.compose([]).config == before


def test_hydra_composes_each_choice_of_groups_once(app, monkeypatch):
    calls = []
    whole = app.config_loader.load_configuration

    def counted(*args, **kwargs):
        calls.append(args)
        return whole(*args, **kwargs)

    monkeypatch.setattr(app.config_loader, "load_configuration", counted)
    composer = Composer(app, "config")
    for grid in ("quick", "wide", "quick"):
        for seed in range(3):
            composer.compose([f"grid={grid}", f"measure.seed={seed}"])
    assert len(calls) == 2


class TestWhatAsksHydra:
    def test_is_composed_whole_and_answered(self, app):
        settings = Composer(app, "config").compose(["experiment=asks_hydra", "grid=wide"]).config.entrypoint.settings
        answered = OmegaConf.to_container(OmegaConf.masked_copy(settings, ["job", "grid"]), resolve=False)
        assert answered == {"job": "flowerexp", "grid": {"chosen": "wide", "list": [1, "config"]}}

    def test_in_an_override(self, app):
        composed = Composer(app, "config").compose(["cluster.name=${hydra:overrides.task.1}", "repeat=2"])
        assert composed.config.cluster.name == "repeat=2"
        assert check(composed.config, composed.origin).repeat == 2

    def test_what_hydra_cannot_answer_yet_is_one_line(self, app):
        with pytest.raises(ConfigError, match=r"settings\.a: .*output_dir.* has no value") as caught:
            Composer(app, "config").compose(["+entrypoint.settings.a=${hydra:runtime.output_dir}"])
        assert "\n" not in str(caught.value)

    def test_leaves_hydra_s_config_as_it_was(self, app):
        before = HydraConfig.instance().cfg
        Composer(app, "config").compose(["experiment=asks_hydra"])
        assert HydraConfig.instance().cfg is before


def test_what_a_resolver_gave_the_sweep_holds_for_its_runs(app):
    master = app.compose_config("config", ["experiment=moment", "hydra.job.chdir=true"], RunMode.MULTIRUN)
    moment, key = master.entrypoint.settings.at, master.entrypoint.settings.key
    assert datetime.strptime(moment, "%f")
    composer = Composer(app, "config", master)
    made = [composer.compose(["experiment=moment", f"measure.seed={seed}"]) for seed in range(2)]
    assert [one.config.entrypoint.settings.at for one in made] == [moment, moment]
    assert [one.config.entrypoint.settings.key for one in made] == [key, key]
    assert made[0].base.hydra.job.chdir is True
