"""What Spark is given: properties as they are, and files under names that it takes."""

import pytest

from flowerexp.cluster import JobFiles, java, submitted
from flowerexp.cluster.kind import kind_of
from flowerexp.config import typed
from flowerexp.config.schema import Cluster
from flowerexp.errors import MachineError
from tests.jobs import HEADER, job_files, run_job

ODD = [
    "a:b",
    "a,b",
    "a#b",
    "a[b]",
    "a{b,c}",
    "a%20b",
    "a*?",
    "it's",
    'a"b',
    "$HOME `a`",
    "a\nb",
    "\u0436\u00e9",
    "a\\b;&",
]
TOLD = (
    HEADER
    + """
def run(spark, config):
    context = spark.sparkContext
    properties = dict(context.getConf().getAll())
    yield {"squares": context.parallelize(range(10), 2).map(lambda each: each * each).sum(), "odd": properties["odd"]}
"""
)


@pytest.fixture
def own(monkeypatch, tmp_path):
    monkeypatch.setattr(java, "own_folders", lambda: [tmp_path / "own"])
    return tmp_path / "own"


def files_in(folder):
    folder.mkdir(parents=True)
    files = JobFiles(folder, folder / "script.py", folder / "bundle.zip", folder / "job.json")
    for path in (files.script, files.bundle, files.job):
        path.write_text(path.name)
    return files


class TestNames:
    @pytest.mark.parametrize("name", ODD)
    def test_spark_sees_copies_of_plain_names_and_what_it_leaves_comes_home(self, own, tmp_path, name):
        files = files_in(tmp_path / name)
        for _ in range(2):
            plain = submitted.with_plain_names(files)
        for path, real in ((plain.script, files.script), (plain.bundle, files.bundle), (plain.job, files.job)):
            assert java.is_plain(path)
            assert path.read_text() == real.name
        for left in ("events/local-1", "spark/work/app/0/stderr"):
            (plain.folder / left).parent.mkdir(parents=True)
            (plain.folder / left).write_text(left)
        submitted.collect(files.folder)
        submitted.collect(files.folder)
        for left in ("events/local-1", "spark/work/app/0/stderr"):
            assert (files.folder / left).read_text() == left
        assert list((own / "jobs").iterdir()) == []

    def test_plain_ones_stay(self, own, tmp_path):
        files = files_in(tmp_path / "2026-01-02" / "a job cache=on")
        assert submitted.with_plain_names(files) is files
        assert not own.exists()

    def test_a_script_of_an_odd_name_in_a_plain_folder(self, own, tmp_path):
        files = files_in(tmp_path / "plain")
        script = tmp_path / "plain" / "my,script[1].py"
        script.write_text("mine")
        plain = submitted.with_plain_names(JobFiles(files.folder, script, files.bundle, files.job))
        assert plain.script.read_text() == "mine"
        assert java.is_plain(plain.script)

    def test_no_place_for_copies_is_one_line(self, monkeypatch, tmp_path):
        monkeypatch.setattr(java, "own_folders", lambda: [tmp_path / "a#b"])
        with pytest.raises(MachineError, match=r"Spark cannot use the name of .*a#b; set TMPDIR to a folder"):
            submitted.with_plain_names(files_in(tmp_path / "a,b"))


@pytest.mark.spark
@pytest.mark.parametrize("kind", ["local", "local_nodes"])
def test_a_job_in_a_folder_of_the_oddest_name(own, tmp_path, kind):
    """All of `ODD` at once; and a property that needs every kind of escape arrives as it is."""
    odd = "\u0436 = : # ! \\ \n\t'\"$ end"
    nodes = {"nodes": 1, "executor_memory": "512m"} if kind == "local_nodes" else {}
    given = {"kind": kind, "cores": 1, "memory": "512m", "spark": {"spark.executorEnv.odd": odd}}
    (tmp_path / "told.py").write_text(TOLD.replace('"odd"]', '"spark.executorEnv.odd"]') + "main(run)")
    folder = tmp_path / "".join(ODD).replace("/", "")
    ended = run_job(
        kind_of(typed({**given, **nodes}, Cluster)).backend(), job_files(folder, tmp_path / "told.py", [{}])
    )
    assert ended.code == 0, ended.printed
    assert ended.rows() == [{"squares": 285, "odd": odd}]
    submitted.collect(folder)
    assert len(ended.events("ApplicationEnd")) == 1
    assert list((own / "jobs").iterdir()) == []
