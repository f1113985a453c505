"""Whatever becomes of the files of a finished sweep: the file is named, and no damaged number is shown."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowerexp import tracking
from flowerexp.cluster_search import walk_of
from flowerexp.commands import log, report
from flowerexp.console import Screen
from flowerexp.errors import FlowerexpError
from flowerexp.journal.journal import Journal
from flowerexp.sweep.resume import Consent, resume
from tests.sweep.made import install, planned, run_sweep, runs_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("blank_pictures")]

OURS = ("plan.json", "journal.jsonl", "1/run.json", "1/mlflow.json", "1/results/status.json",
        "1/results/measurements.jsonl", "1/results/phases.json", "1/analysis/summary.json",
        "1/analysis/measurements.parquet", "1/analysis/regression.json")  # fmt: skip
KINDS = ("remove", "empty", "cut", "garbage", "another", "flip", "folder")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A finished sweep's folder, and a copy of it as it was."""
    patch = pytest.MonkeyPatch()
    install(patch)
    home = tmp_path_factory.mktemp("home")
    tracking.ensure(tracking.default_store(home))
    folder = home / "outputs" / "today" / "sweep"
    run_sweep(folder, planned(folder, home, (70, 80, 90)))
    yield folder, Path(shutil.copytree(folder, home / "pristine"))
    patch.undo()


def damage(path: Path, kind: str, place: int, byte: int) -> bool:
    """Damage a file; returns whether it is another one now."""
    content = path.read_bytes()
    place %= len(content)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind != "remove":
        changed = {
            "empty": b"",
            "cut": content[:place],
            "garbage": content[:place] + bytes([byte]) * 20 + content[place:],
            "another": b'{"event": "finished", "run": 7, "runs": {}, "facts": []}\n',
            "flip": content[:place] + bytes([content[place] ^ (byte or 1)]) + content[place + 1 :],
        }[kind]
        path.write_bytes(changed)
    return True


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check_numbers(folder: Path, pristine: Path, table: str) -> None:
    """Every line of a table that has a rate is one that the undamaged sweep has."""
    whole = lines_of(pristine / table)
    for line in lines_of(folder / table):
        shown = {
            key: value for key, value in line.items() if value and ("images/s" in key or "images_per_second" in key)
        }
        if shown:
            assert any(shown.items() <= one.items() for one in whole), line


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@pytest.mark.long
@given(name=st.sampled_from(OURS), kind=st.sampled_from(KINDS), place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_damage_is_said_costs_its_own_run_and_is_mended(sweep, capsys, name, kind, place, byte):
    folder, pristine = sweep
    shutil.rmtree(folder)
    shutil.copytree(pristine, folder)
    damage(folder / name, kind, place, byte)
    capsys.readouterr()
    said = []

    # report
    try:
        said.append("" if report.main([str(folder)]) == 0 else "told")
        check_numbers(folder, pristine, "cells.csv")
    except FlowerexpError as error:
        said.append(str(error))
    said.append(capsys.readouterr().err)

    # log
    log.main([str(folder / number) for number in "012"])
    said.append(capsys.readouterr().err)

    # resume
    stream = io.StringIO()
    try:
        state = resume(folder, Screen(stream), Consent(), walk_of)
    except FlowerexpError as error:
        reasons = ("plan.json is damaged", "holds no sweep", f"reading {folder / name}")
        fatal = name == "plan.json" or (name, kind) == ("journal.jsonl", "folder")
        if not fatal or not any(reason in str(error) for reason in reasons):
            raise
        return
    finally:
        said.append(stream.getvalue())
    told = "\n".join(said)
    assert "Traceback" not in told
    assert set(state.runs.values()) == {"finished"}, told
    assert runs_of(folder) == runs_of(pristine), told
    assert report.main([str(folder)]) == (1 if Journal(folder).read().damage else 0)
    check_numbers(folder, pristine, "cells.csv")
    harmless = kind == "cut" or name in ("journal.jsonl", "1/mlflow.json")
    if not harmless:
        assert str(folder / name) in told or f"{folder / '1'} holds no run" in told


@pytest.mark.parametrize("name", [name for name in OURS if name not in ("plan.json", "journal.jsonl")])
def test_a_folder_in_the_place_of_a_file_is_mended_too(sweep, name):
    folder, pristine = sweep
    shutil.rmtree(folder)
    shutil.copytree(pristine, folder)
    damage(folder / name, "folder", 0, 0)
    stream = io.StringIO()
    assert resume(folder, Screen(stream), Consent(), walk_of).succeeded, stream.getvalue()
    assert runs_of(folder) == runs_of(pristine)
    assert name == "1/mlflow.json" or str(folder / name) in stream.getvalue()
