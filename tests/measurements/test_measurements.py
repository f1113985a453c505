import subprocess
import sys
from pathlib import Path

import pytest

from flowerexp.errors import MachineError
from flowerexp.measurements import write_whole
from flowerexp.measurements.written import write
from tests.analysis.rows import table


class TestWriteWhole:
    def test_a_failed_write_leaves_the_old_file_and_nothing_else(self, tmp_path):
        path = tmp_path / "x.json"
        path.write_text("old")

        def half(aside: Path) -> None:
            aside.write_text("ne")
            raise OSError(28, "No space left on device")

        with pytest.raises(MachineError, match=r"writing .*x\.json failed: No space left on device; free some room"):
            write_whole(path, half)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_reader_of_the_old_file_is_not_disturbed(self, tmp_path):
        path = tmp_path / "x.json"
        path.write_text("old")
        with path.open() as reader:
            write_whole(path, lambda aside: aside.write_text("new"))
            assert (reader.read(), path.read_text()) == ("old", "new")

    def test_a_folder_that_is_a_file_is_one_clear_line(self, tmp_path):
        (tmp_path / "f").touch()
        with pytest.raises(MachineError, match=r"^writing .*m\.parquet failed: .*choose another folder$"):
            write(table([{"a": 1}]), tmp_path / "f" / "m.parquet")


def test_measurements_and_analysis_import_nothing_heavy():
    heavy = ("pyarrow", "pandas", "numpy", "sklearn", "matplotlib", "mlflow", "hydra", "pyspark")
    code = (
        "import sys, flowerexp.measurements, flowerexp.analysis, flowerexp.analysis.compare\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
