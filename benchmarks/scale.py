"""Cost against size: `python benchmarks/scale.py`. What takes how many seconds and MB as the work grows tenfold?

- files: what the driver does with the files of a data set before Spark begins (list, sample, fingerprint, deal, hand
  over); they are hard links, and really listed.
- index: a data set whose list lies with two executors of Spark, from names that they make up: fingerprint, deal, and
  hand the names over between them. Memory is that of the driver: its Python and its JVM, whose heap is at most 512 MB.
- folder, folders: one folder of so many files, and five that have as many together, which executors really list; they
  are hard links. Memory as above.
- runs: `flowerexp plan` of a sweep of so many runs.
- rows: what is done with so many measurements, in at most 1,000 cells, when their run has ended: reading, regressions,
  intervals, pictures, the hashes of its files.
- report: the report of a run of so many measurements.
- log: the same run into MLflow's SQLite.
- sweep: the end of a sweep of 25 runs with so many measurements in all: its tables, its report, its summary in MLflow.

Each point is a process of its own. An order of growth of 1 is linear: it is taken between the two largest sizes, and
what the smallest size takes (imports, most of all) is subtracted first. It is not judged where the middle size takes
hardly more than the smallest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from side_by_side import measure
from targets import Target, finish

_LINKS = 10_000  # of one file, fewer than any file system refuses
_SHOWS = 1.25  # times what the smallest size takes: with less, a difference may be chance
_RUNS = 25  # of the sweep whose rows are counted


def _config(home: str, *overrides: str) -> dict[str, object]:
    from flowerexp import app
    from flowerexp.config import plain

    return dict(plain(app.composed([f"home={home}", *overrides])))


def link_files(folder: Path, count: int, classes: int = 5) -> None:
    """Make a data set of so many photographs in so many class folders."""
    from flowerexp.workload.images import synthetic

    for number in range(count):
        source = folder / f"{number // _LINKS}.source"
        if not source.exists():
            source.write_bytes(synthetic.photograph(number // _LINKS, 0)[1])
        place = folder / "images" / f"class{number % classes}"
        if number < classes:
            place.mkdir(parents=True)
        os.link(source, place / f"{number:08d}.jpg")


def files(home: str, count: int) -> Callable[[], object]:
    """What the driver does with so many files."""
    import pickle

    from flowerexp.workload.images import deal, listing
    from flowerexp.workload.images.photographs import Photographs

    config = _config(home, "dataset=folder", f"dataset.path={home}/images")
    link_files(Path(home), count)

    def work() -> int:
        photographs = listing.listing_of(f"{home}/images", config).photographs
        assert isinstance(photographs, Photographs)
        dealt = deal.deal(photographs.sizes, photographs.labels, 200, 0)
        return sum(len(pickle.dumps(photographs.pick(places))) for places in dealt)

    return work


def index(home: str, count: int) -> Callable[[], object]:
    """What the driver does with so many files that executors list."""
    from flowerexp.storage import Range
    from flowerexp.workload.images.distributed import Folders, Part
    from flowerexp.workload.images.photographs import Photographs

    context = _context(home)
    names = [f"class{number:02d}" for number in range(20)]

    def look(within: Range, most: int, _: int) -> Part:
        sample, first, last = Photographs("/data/"), int(within.start or 0), count // len(names)
        for number in range(first, min(last, first + most)):
            sample.add(f"{within.folder}/{number:08d}.jpg", 0, 60_000 + number % 1000, f"17000000000{number:08d}")
        left = [Range(within.folder, f"{first + most:08d}")] if first + most < last else []
        return Part(len(sample), sample, left=left)

    def work() -> int:
        photographs = Folders(context, names, look).photographs({name: place for place, name in enumerate(names)})
        digest = hashlib.sha256()
        for lines in photographs.each_slice(lambda some: "".join(f"{one.relative}\n" for one in some).encode()):
            digest.update(lines)
        return int(photographs.deal(200, 0).map(len).sum())

    return work


def _context(home: str) -> Any:
    """A driver with two executors, which are processes of their own, so that the memory of each is known."""
    from pyspark import SparkConf, SparkContext

    from flowerexp.cluster import java
    from flowerexp.cluster.spark_submit import LOOPBACK, LOOPBACK_ENVIRONMENT

    os.environ |= {"JAVA_HOME": str(java.find().home), "PYSPARK_PYTHON": sys.executable, **LOOPBACK_ENVIRONMENT}
    settings = {**LOOPBACK, "spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.local.dir": home}
    settings |= {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    settings["spark.default.parallelism"] = "2"
    return SparkContext(conf=SparkConf().setMaster("local-cluster[2,1,512]").setAll(list(settings.items())))


def _listed(home: str, count: int, classes: int) -> Callable[[], object]:
    """List really, with executors."""
    from flowerexp.workload.images import listing

    link_files(Path(home), count, classes)
    config, context = _config(home, "dataset=folder", f"dataset.path={home}/images"), _context(home)

    def work() -> None:
        assert listing.listing_of(f"{home}/images", config, context).total == count

    return work


def folder(home: str, count: int) -> Callable[[], object]:
    """List one folder."""
    return _listed(home, count, 1)


def folders(home: str, count: int) -> Callable[[], object]:
    """List five folders."""
    return _listed(home, count, 5)


def rows(home: str, count: int) -> Callable[[], object]:
    """What is done with so many measurements when their run has ended."""
    import many_rows

    run = many_rows.make_run(Path(home), Path(home) / "run", count)
    return lambda: many_rows.collected(run)


def report(home: str, count: int) -> Callable[[], object]:
    """The report of a run of so many measurements, which another process has analysed."""
    from flowerexp.analysis.report import make_report

    _analysed(home, count)
    return lambda: make_report(Path(home) / "run")


def _analysed(home: str, count: int) -> None:
    """Make a run of so many measurements and analyse it, unless `rows` has done so here."""
    if not (Path(home) / "run" / "run.json").exists():
        _elsewhere("rows", count, home)


def log(home: str, count: int) -> Callable[[], object]:
    """The same run into MLflow, whose database exists already."""
    from flowerexp import tracking

    _analysed(home, count)
    _elsewhere("store", 0, home)
    return lambda: tracking.log_run(Path(home) / "run")


def sweep(home: str, count: int) -> Callable[[], object]:
    """The end of a sweep with so many measurements in all: its tables, its report, and its summary in MLflow."""
    from flowerexp import tracking
    from flowerexp.analysis.report import make_report
    from flowerexp.journal.journal import Journal
    from flowerexp.sweep import tables

    folder, store = Path(home) / "sweep", tracking.default_store(Path(home))
    _elsewhere("runs of a sweep", count, home)
    _elsewhere("store", 0, home)

    def work() -> None:
        tables.write(folder, Journal(folder).read())
        make_report(folder)
        tracking.log_sweep(folder, store)

    return work


def store(home: str, _: int) -> Callable[[], object]:
    """Make MLflow's database."""
    from flowerexp import tracking

    return lambda: tracking.ensure(tracking.default_store(Path(home)))


def runs_of_sweep(home: str, count: int) -> Callable[[], object]:
    """Make the runs of a sweep."""
    import many_rows

    return lambda: many_rows.make_sweep(Path(home) / "sweep", max(1, min(_RUNS, count // 40)), count)


POINTS: dict[str, Callable[[str, int], Callable[[], object]]]
POINTS = {
    "files": files,
    "index": index,
    "folder": folder,
    "folders": folders,
    "rows": rows,
    "report": report,
    "log": log,
    "sweep": sweep,
}
POINTS |= {"store": store, "runs of a sweep": runs_of_sweep}


def _elsewhere(what: str, count: int, home: str) -> None:
    """Do one thing in another process, so that its memory is not this one's."""
    subprocess.run([sys.executable, __file__, "--point", what, str(count), home], stdout=subprocess.PIPE, check=True)


def point(what: str, count: int, home: str) -> None:
    """Do one thing at one size in this process; prints seconds, and the peak memory with what was there before."""
    work = POINTS[what](home, count)
    start, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parts = {"python": memory, "java": java_memory() if what in ("index", "folder", "folders") else 0.0}
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": sum(parts.values()), **parts}))


def java_memory() -> float:
    """The peak memory of this process's JVM, in MB."""
    from pyspark import SparkContext

    status = Path(f"/proc/{SparkContext._gateway.proc.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def measured(what: str, count: int, home: str) -> dict[str, float]:
    """One point of a curve: seconds, and peak memory in MB."""
    if what == "runs":
        command = [sys.executable, "-m", "flowerexp", "plan", "-m", f"home={home}", f"measure.seed=range({count})"]
        cost = measure(command)
        return {"seconds": cost.wall, "memory": cost.memory}
    done = subprocess.run(
        [sys.executable, __file__, "--point", what, str(count), home], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{what} {count} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth(curve: dict[int, dict[str, float]], key: str) -> float:
    """The order of growth between the two largest sizes, above the smallest one's cost."""
    *_, middle, large = sorted(curve)
    base = curve[min(curve)][key]
    below, above = (max(curve[size][key] - base, 1e-3) for size in (middle, large))
    return math.log(above / below) / math.log(large / middle)


def is_judged(curve: dict[int, dict[str, float]]) -> bool:
    """Whether the order of growth can be judged: of three sizes, the middle one takes more than the smallest."""
    if len(curve) < 3:
        return False
    least, middle, *_ = sorted(curve)
    return curve[middle]["seconds"] > _SHOWS * curve[least]["seconds"]


def main() -> None:
    """Measure all curves, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[10**3, 10**4, 10**5])
    parser.add_argument("--index", type=int, nargs="+", default=[10**3, 10**5, 10**6])
    parser.add_argument("--listed", type=int, nargs="+", default=[150_000, 400_000, 10**6])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**3, 10**5, 10**6])
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        what, count, home = options.point
        return point(what, int(count), home)
    sizes = {
        ("files",): options.files,
        ("index",): options.index,
        ("folder",): options.listed,
        ("folders",): options.listed,
        ("runs",): options.runs,
        ("rows", "report", "log"): options.rows,  # of one run, which is made once
        ("sweep",): options.rows[-1:],
    }
    print(f"{'':<8} {'size':>9} {'seconds':>9} {'peak MB':>9}")
    curves: dict[str, dict[int, dict[str, float]]] = {}
    for together, wanted in sizes.items():
        for count in wanted:
            with tempfile.TemporaryDirectory() as home:
                for what in together:
                    found = curves.setdefault(what, {})[count] = measured(what, count, home)
                    print(f"{what:<8} {count:>9,} {found['seconds']:>9.2f} {found['memory']:>9.0f}", flush=True)
    targets = []
    for what, most in {"files": 300, "index": 100, "folder": 100, "folders": 100}.items():
        curve = curves[what]
        more = curve[max(curve)]["memory"] - curve[min(curve)]["memory"]
        targets.append(
            Target(f"{what}: MB more of the driver for {max(curve):,} files than {min(curve):,}", more, most)
        )
    for what, curve in curves.items():
        if is_judged(curve):
            targets.append(Target(f"{what}: order of growth of the time", growth(curve, "seconds"), 1.15))
    most = max(options.rows)
    for parts in (("rows", "report"), ("log",), ("sweep",)):
        seconds = sum(curves[what][most]["seconds"] for what in parts)
        targets.append(Target(f"{' and '.join(parts)}: seconds for {most:,}", seconds, 15))
        targets += [Target(f"{what}: peak MB for {most:,}", curves[what][most]["memory"], 1000) for what in parts]
    return finish(targets, curves=curves)


if __name__ == "__main__":
    main()
