"""Readers beside the notebook's program, and ours beside each format's own: `python benchmarks/read_speed.py IMAGES`.

Each turn is a process of its own, which loads what it needs, reads once unmeasured, and then reads the same amount
again and again; its rate is the median. Turns alternate over all readers, and ratios are taken within a round. The page
cache is warm.

The notebook's program frees its iterators while its clock runs, and with tf.data that takes up to as long as reading
did (see `flowerexp/workload/read_speed/kept.py`). So our readers are compared with it by rates that hold the freeing,
too. Readers of ours are compared with each other by the rates that flowerexp reports, which do not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import wall
from targets import Target, finish

BASELINE = Path(__file__).parents[2] / "shared" / "baselines" / "notebook_read_speed.py"
BOUNDS = {
    "image_files_native": 1.8,
    "tfrecords_native": 1.15,
    "image_files_cached": 8.0,
    "tfrecords_cached": 8.0,
}
NOTEBOOK = {"image_files": "images", "tfrecords": "tfrecords"}
EACH, MEDIAN = 1.0, 1.5
"""Of our reader against the loader of each format's ecosystem: at least for each format, and for the median one."""


def one(reader: str, folder: Path, options: argparse.Namespace) -> None:
    """Measure one reader in this process; prints its rates as JSON."""
    from flowerexp.workload.engine.cells import Cell
    from flowerexp.workload.read_speed import measuring, readers
    from flowerexp.workload.read_speed.sources import Sources

    if readers.READERS[reader].format is None:
        files = sorted(map(str, folder.rglob("*.jpg")))
        counts = [1] * len(files)
    else:
        written = json.loads((folder / "manifest.json").read_text())["files"]
        files, counts = [str(folder / file["file"]) for file in written], [file["records"] for file in written]
    made = Sources({reader: readers.Source(reader, files, counts, (192, 192))}, "as_found")
    parameters = {"reader": reader, "batch_size": options.batch_size, "batch_number": options.batch_number}
    measuring.warm(made, parameters)
    rates, freed = [], []
    for seed in range(options.repetitions + 1):
        chosen = measuring.ready(made, Cell(parameters, 1, seed))
        started = time.perf_counter()
        images = measuring.measure(chosen, parameters)["images"]
        rates.append(images / (time.perf_counter() - started))
        del chosen
        freed.append(images / (time.perf_counter() - started))
    print(json.dumps({"images_per_second": rates[1:], "with_freeing": freed[1:]}))


def rates_of(command: list[str]) -> dict[str, float]:
    """The medians of the rates that a program prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stderr[-2000:]}")
    printed = json.loads(done.stdout.splitlines()[-1])
    return {name: statistics.median(values) for name, values in printed.items() if isinstance(values, list)}


def main() -> None:
    """Compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="a folder of CLASS/*.jpg")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="the program to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--batch-number", type=int, default=18)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(options.one, options.images, options)
    rates, freed = measured(options)
    ratios = against_the_notebook(freed)
    own = against_their_own(rates)
    print(f"{'reader':<22} {'images/s':>10} {'and freed':>10} {'ratio':>8}  (medians of {options.rounds} rounds)")
    for name in freed:
        both = [f"{statistics.median(of[name]):,.0f}" if name in of else "" for of in (rates, freed)]
        print(f"{name:<22} {both[0]:>10} {both[1]:>10} {ratios.get(name, own.get(name, 1)):>8.2f}")
    targets = [
        Target(f"{reader} against the loader of its format", ratio, EACH, at_least=True)
        for reader, ratio in own.items()
    ]
    targets.append(
        Target("the median format's native reader against its loader", statistics.median(own.values()), MEDIAN, True)
    )
    targets += [
        Target(f"{reader} against the notebook's program", ratios[reader], bound, at_least=True)
        for reader, bound in BOUNDS.items()
    ]
    return finish(targets, rates=rates, freed=freed, ratios=ratios, own=own)


Rates = dict[str, list[float]]


def measured(options: argparse.Namespace) -> tuple[Rates, Rates]:
    """The rates of all readers, one for each round; and with freeing, also those of the notebook's program."""
    from flowerexp.workload.read_speed.readers import READERS

    images = options.images.absolute()
    asked = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in ("batch_size", "batch_number")]
    rates: Rates = {}
    freed: Rates = {}
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "flowerexp", "dataset=folder", f"dataset.path={images}", f"home={home}"]
        folders = {"image_files": images}
        for data, kind in {one.data: one.format for one in READERS.values() if one.format}.items():
            wall([*command, "entrypoint=write_shards", f"preprocess.format={kind}"])
            (folders[data],) = {*(Path(home) / "data" / "prepared").iterdir()} - {*folders.values()}
        for _ in range(options.rounds):
            for data, kind in NOTEBOOK.items():
                # One repetition more, which is left to its warming up by the median.
                theirs = [sys.executable, str(options.baseline), kind, str(folders[data]), *asked]
                found = rates_of([*theirs, f"--repetitions={options.repetitions}"])
                freed.setdefault(f"notebook's {kind}", []).append(found["images_per_second"])
            for name, reader in READERS.items():
                ours = [sys.executable, __file__, str(folders[reader.data]), "--one", name, *asked]
                found = rates_of([*ours, f"--repetitions={options.repetitions}"])
                rates.setdefault(name, []).append(found["images_per_second"])
                freed.setdefault(name, []).append(found["with_freeing"])
    return rates, freed


def against_the_notebook(rates: Rates) -> dict[str, float]:
    """Each reader of the notebook's data against its program: the median of the ratios of each round."""
    from flowerexp.workload.read_speed.readers import READERS

    theirs = {name: f"notebook's {NOTEBOOK[one.data]}" for name, one in READERS.items() if one.data in NOTEBOOK}
    return {name: paired(rates[name], rates[other]) for name, other in theirs.items()}


def against_their_own(rates: Rates) -> dict[str, float]:
    """Our reader of each format against the loader of its ecosystem."""
    from flowerexp.workload.read_speed.readers import READERS

    ours = {name: one.data for name, one in READERS.items() if one.format and one.way == "native"}
    return {name: paired(rates[name], rates[other]) for name, other in ours.items()}


def paired(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
