import pytest

from flowerexp.analysis.event_log import find_logs, read
from flowerexp.errors import DataError
from tests.analysis.events import cluster, write


def test_a_line_cut_short_is_passed_over_and_a_damaged_one_is_named(tmp_path):
    path = write(cluster(2), tmp_path / "events" / "app.inprogress")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"Event":"SparkListenerTaskEnd","Stage ID":0,"Task In')
    assert len(read(path).tasks) == 2
    path.write_bytes(b'{"Event":"SparkListenerTaskEnd","Stage\n' + whole)
    with pytest.raises(DataError, match=r"app\.inprogress, line 1: not an event of Spark"):
        read(path)


def test_logs_are_found_below_the_jobs_folder(tmp_path):
    assert find_logs(tmp_path) == []
    path = write(cluster(2), tmp_path / "events" / "local-1")
    (path.parent / ".local-1.crc").touch()
    assert find_logs(tmp_path) == [path]


@pytest.mark.parametrize(
    "line",
    ['{"Event":"SparkListenerApplicationEnd"}', '{"Event":"SparkListenerExecutorAdded","Executor Info":7}',
     '{"Event":"SparkListenerApplicationStart","Timestamp":"x"}'],
)  # fmt: skip
def test_an_event_that_lacks_what_spark_writes_is_damage(tmp_path, line):
    (tmp_path / "app").write_text(line + "\n")
    with pytest.raises(DataError, match=r"app is damaged: (Key|Type)Error"):
        read(tmp_path / "app")
