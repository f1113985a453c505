"""How often are conclusions wrong, and what do they find? `python benchmarks/calibration.py IMAGES [--blocks N]`.

The same experiment is run again and again, in blocks: two arms that are the same, and four that are slower by 2, 5, 10
and 20 % (`benchmarks/planted`). Then sides of one run, or of several repeats, are compared as `flowerexp compare`, a
report and `flowerexp gate` compare them: arms that are the same must not be called different in more than 5 of 100
comparisons, and planted slowdowns should be found. All of it on the machine as it is, and beside a busy neighbour: a
process that keeps one core at work.

Sides are drawn from all blocks, with a seed. Side by side: both sides from the same blocks, as in one sweep with
`sweep.repeats`. At other times: each side from blocks of its own, as when two sweeps are compared.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from side_by_side import wall
from targets import Target, finish

from flowerexp.analysis.compare import ratios, value_over
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.analysis.report.gather import load
from flowerexp.measurements.parquet import read_parquet
from flowerexp.measurements.table import Measurements

CONF = Path(__file__).parent / "planted" / "conf"
SLOWDOWNS = (0.02, 0.05, 0.1, 0.2)
REPEATS = (1, 2, 3, 5, 10)
DRAWS = 200
"""How many comparisons of each kind are drawn."""
SAME = "same"
CONDITIONS = ("as it is", "busy neighbour")


@dataclass(frozen=True)
class Arm:
    """The runs of one arm, by block."""

    slowdown: float
    copy: int
    runs: dict[int, ComparedRun]


@contextmanager
def neighbour(busy: bool) -> Iterator[None]:
    """A process that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def measured(images: Path, blocks: int, overrides: Sequence[str], busy: bool) -> tuple[list[Arm], float]:
    """Run all arms in blocks; the arms, and the wall time in seconds."""
    slowdowns = [0.0, 0.0, *SLOWDOWNS]
    copies = [1, 2, *[1] * len(SLOWDOWNS)]
    axes = f"entrypoint.settings.slowdown:{slowdowns},entrypoint.settings.copy:{copies}".replace(" ", "")
    with tempfile.TemporaryDirectory() as home, neighbour(busy):
        data = ["dataset=folder", f"dataset.path={images}", f"home={home}", "grid.reader=[tfrecords]"]
        chosen = ["entrypoint=planted", f"sweep.zip=[{{{axes}}}]", f"sweep.repeats={blocks}", *data, *overrides]
        seconds = wall([sys.executable, "-m", "flowerexp", "-m", "--config-dir", str(CONF), *chosen])
        (folder,) = Path(home).glob("outputs/*/*")
        return arms_of(folder), seconds


def arms_of(folder: Path) -> list[Arm]:
    """The arms of a finished sweep."""
    arms: dict[tuple[float, int], Arm] = {}
    for run in load(folder).measured:
        if run.config is None:
            continue
        settings = run.config.entrypoint.settings
        table = read_parquet(run.folder / "analysis" / "measurements.parquet")
        compared = ComparedRun(
            run.name, run.config, Measurements(table, run.config.entrypoint), run.facts, verdict=run.verdict
        )
        key = settings["slowdown"], settings["copy"]
        arms.setdefault(key, Arm(*key, {})).runs[int(run.varied["repeat"])] = compared
    return [arms[key] for key in sorted(arms)]


def drawn(arms: Sequence[Arm], repeats: int, paired: bool, everything: bool) -> dict[str, Counter[str]]:
    """The verdicts of comparisons of each arm with the first one.

    Args:
        arms: the first two are the same; the others are slower.
        repeats: how many runs a side has.
        paired: whether both sides are of the same blocks.
        everything: whether suspect runs count as valid ones.
    """
    chance, found = np.random.default_rng(repeats), {}
    for arm in arms[1:]:
        verdicts: Counter[str] = Counter()
        common = sorted({*arms[0].runs} & {*arm.runs})
        if not everything:
            common = [block for block in common if all(each.runs[block].verdict == "valid" for each in (arms[0], arm))]
        for _ in range(DRAWS if len(common) >= (1 if paired else 2) * repeats else 0):
            blocks = [common[place] for place in chance.permutation(len(common))]
            mine, others = blocks[:repeats], blocks[:repeats] if paired else blocks[repeats : 2 * repeats]
            pair = (arms[0], arm)
            turned = chance.random(len(arms[0].runs) + 1) < 0.5 if not arm.slowdown else np.zeros(len(arms[0].runs) + 1)
            # Arms that are the same are exchanged at random in each block: else the difference that these two happen to
            # have would come back in every draw.
            sides = [
                [pair[place ^ int(turned[block])].runs[block] for block in of_side]
                for place, of_side in enumerate((mine, others))
            ]
            base, other = ([replace(run, verdict="valid") for run in side] for side in sides)
            verdicts[ratios(base, other, paired=paired)[0].verdict] += 1
        found[f"{arm.slowdown:.0%}" if arm.slowdown else SAME] = verdicts
    return found


def share(verdicts: Counter[str], *wanted: str) -> float:
    """The share of some verdicts; NaN of none."""
    total = sum(verdicts.values())
    return sum(verdicts[word] for word in wanted) / total if total else math.nan


def deviations(arms: Sequence[Arm], everything: bool) -> tuple[float, float]:
    """The standard deviation of the logarithm of a run's value: around its arm, and also around its block."""
    table = [
        (place, block, math.log(value_over([run.measurements.firsts])))
        for place, arm in enumerate(arms)
        for block, run in arm.runs.items()
        if everything or run.verdict == "valid"
    ]
    places, blocks, logs = (np.array(column) for column in zip(*table, strict=True))
    left = []
    for others in ([], [blocks]):
        design = np.column_stack([np.eye(int(codes.max()) + 1)[codes] for codes in map(_codes, [places, *others])])
        fitted, _, rank, _ = np.linalg.lstsq(design, logs, rcond=None)
        left.append(math.sqrt(float(((logs - design @ fitted) ** 2).sum()) / max(1, len(logs) - int(rank))))
    return left[0], left[1]


def _codes(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.unique(values, return_inverse=True)[1]


def table_of(arms: Sequence[Arm], name: str, everything: bool) -> tuple[list[str], dict[str, dict[str, float]]]:
    """The lines of a table of rates, and the rates by repeats and kind."""
    lines, figures = [], {}
    for repeats in REPEATS:
        for paired in (False, True) if repeats > 1 else (False,):
            how = "side by side" if paired else "at other times"
            found = drawn(arms, repeats, paired, everything)
            if not sum(found[SAME].values()):
                continue
            rates = {"false": share(found[SAME], "faster", "slower"), "equal": share(found[SAME], "equal")}
            rates |= {f"{planted:.0%}": share(found[f"{planted:.0%}"], "slower") for planted in SLOWDOWNS}
            rates["wrong way"] = max(share(found[f"{planted:.0%}"], "faster") for planted in SLOWDOWNS)
            figures[f"{repeats} {how}"] = rates
            lines.append(f"{name:<28} {repeats:>4}  {how:<14} " + " ".join(f"{rate:>6.1%}" for rate in rates.values()))
    return lines, figures


def main() -> None:
    """Measure, compare, and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a folder of CLASS/*.jpg; more words are overrides")
    parser.add_argument("--blocks", type=int, default=24, help="repeats of each arm (default: %(default)s)")
    parser.add_argument("--finished", type=Path, nargs="+", help="the folder of a finished sweep for each condition")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=CONDITIONS, help="default: both")
    options, overrides = parser.parse_known_args()
    heads = " ".join(f"{head:>6}" for head in ("false", "equal", *(f"{planted:.0%}" for planted in SLOWDOWNS), "wrong"))
    print(f"{'machine':<28} {'runs':>4}  {'':<14} {heads}")
    figures, seconds = {}, {}
    for condition in options.conditions:
        if options.finished:
            arms, seconds[condition] = arms_of(options.finished[options.conditions.index(condition)]), 0.0
        else:
            busy = condition == "busy neighbour"
            arms, seconds[condition] = measured(options.images.absolute(), options.blocks, overrides, busy)
        verdicts = Counter(run.verdict for arm in arms for run in arm.runs.values())
        for everything in (False, True):
            name = f"{condition}, {'all runs' if everything else 'valid runs'}"
            if everything or verdicts["valid"] > 2 * len(arms):
                lines, figures[name] = table_of(arms, name, everything)
                print("\n".join(lines))
                around_arm, around_block = deviations(arms, everything)
                figures[name]["deviation"] = {"of runs": around_arm, "within blocks": around_block}
                print(f"{name}: runs of one config differ by {around_arm:.1%}, within blocks by {around_block:.1%}")
        print(f"{condition}: {', '.join(f'{count} {word}' for word, count in sorted(verdicts.items()))} runs")
    print("false: arms that are the same are called faster or slower; equal: they are called equal, within 5 %;")
    print("2% to 20%: the planted slowdown is found; wrong: the slower arm is called faster")
    worst = {
        name: max(rates["false"] for key, rates in each.items() if key != "deviation") for name, each in figures.items()
    }
    found = [
        rates["10%"]
        for name, each in figures.items()
        if "valid" in name
        for key, rates in each.items()
        if key.startswith("5 side")
    ]
    targets = [
        Target(f"false alarms, at most of any number of repeats: {name}", rate, 0.05) for name, rate in worst.items()
    ]
    targets += [
        Target("10 % planted is found with five repeats, side by side", rate, 0.9, at_least=True) for rate in found
    ]
    return finish(targets, figures=figures, seconds=math.fsum(seconds.values()))


if __name__ == "__main__":
    main()
