"""Run all benchmarks and write `docs/benchmarks.md`: `python benchmarks/report.py IMAGES`, or `make bench IMAGES=DIR`.

What is written is what was measured: the date, the machine, every figure beside its bound, and of each miss the reason,
if `REASONS` knows one. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from targets import Target

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
REASONS = HERE / "reasons.json"
"""Why a bound is missed: the beginning of a target's words, and the reason, found with a profile and not guessed."""


def commands(images: str, *, quick: bool) -> dict[str, list[str]]:
    """What is run, by the title of its section; small sizes to see that everything works."""
    floor = ["--floor", "60" if quick else "20000", "--pairs", "1" if quick else "2"]
    once = ["1"] if quick else ["3"]
    scale = ["--files", "10", "100", "--index", "100", "1000", "--listed", "100", "200"]
    scale += ["--runs", "2", "4", "--rows", "50", "100"]
    repeated = ["--repetitions", "6", "grid.batch_size=[2,8]", "grid.batch_number=[3,18]"] if quick else []
    return {
        **({} if quick else {"Setting up": ["setting_up.py"]}),
        "Photographs to TFRecord files, beside the notebook": ["preprocess.py", images, "--pairs", *once],
        "Photographs to TFRecord files, beside plain processes": ["preprocess.py", images, *floor],
        "Large photographs": ["large_photographs.py", *(["--count", "1", "--pairs", "1"] if quick else [])],
        "What the workers' CPU goes to": ["worker_profile.py", images] + (["--count", "60"] if quick else []),
        "A photograph beside libjpeg-turbo in C": ["codec_floor.py", images, "--rounds", *once],
        "Time to the first result": ["time_to_first_result.py", "--rounds", *once]
        + (["dataset.images=40", "grid.batch_size=[2]", "grid.batch_number=[2]"] if quick else []),
        "What a sweep costs beside its measuring": ["sweep_overhead.py", "--peer-runs", "1"]
        + (["--runs", "2", "--rounds", "1"] if quick else []),
        "A long sweep": ["long_sweep.py", *(["--runs", "20", "--planned", "20"] if quick else [])],
        "Readers": ["read_speed.py", images, "--rounds", "1" if quick else "5"],
        "Repeating a sweep": ["repeatability.py", images, *repeated],
        "Balance of the partitions": ["balance.py", *(["--small", "100", "--giants", "2"] if quick else [])],
        "Cost against size": ["scale.py", *(scale if quick else [])],
    }


def run(command: list[str]) -> tuple[str, dict[str, Any]]:
    """Run one benchmark: its table, and what it measured.

    Raises:
        SystemExit: it failed.
    """
    program = [sys.executable, str(HERE / command[0]), *command[1:]]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-3000:]}")
    lines = done.stdout.rstrip().splitlines()
    table = [line for line in lines if not line.startswith(("{", "reached", "MISSED"))]
    return "\n".join(table), json.loads(lines[-1])


def machine() -> str:
    """The machine and the versions that matter, in one line."""
    from importlib.metadata import version

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")), platform.processor()
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("pyspark", "tensorflow", "simplejpeg", "numpy"))
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores of {cpu or 'an unnamed CPU'}, {memory:.0f} GB; Python {platform.python_version()}, {packages}"
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def table(targets: list[Target], reasons: dict[str, str]) -> str:
    """Figures beside their bounds, in Markdown."""
    lines = ["| what | measured | bound | |", "| --- | --- | --- | --- |"]
    for target in targets:
        reason = next((why for start, why in reasons.items() if target.what.startswith(start)), "not explained yet")
        sign = "at least" if target.at_least else "at most"
        verdict = "reached" if target.reached else f"**missed**: {reason}"
        lines.append(f"| {target.what} | {target.value:.3g} | {sign} {target.bound:g} | {verdict} |")
    return "\n".join(lines)


def replaced(page: str, parts: dict[str, str]) -> str:
    """A page with some of its sections in another version or added, and the bounds in its head counted again."""
    head, *sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    here = {section.partition("\n")[0].removeprefix("## "): section for section in sections}
    texts = (here | parts).values()
    separated = [f"{text.rstrip()}\n" for text in texts]
    verdicts = re.findall(r"\| (reached|\*\*missed)", "".join(separated))
    count = f"{verdicts.count('reached')} of {len(verdicts)} bounds are reached"
    return "\n".join([re.sub(r"\d+ of \d+ bounds are reached", count, head).rstrip() + "\n", *separated])


def main() -> None:
    """Run all, and write the page; of a benchmark that fails, the page keeps its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", help="a folder of CLASS/*.jpg")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything works")
    parser.add_argument("--page", type=Path, default=PAGE)
    again = "measure these sections again; the others stay"
    parser.add_argument("--only", nargs="+", metavar="TITLE", choices=[*commands("", quick=False)], help=again)
    options = parser.parse_args()
    reasons: dict[str, str] = json.loads(REASONS.read_text()) if REASONS.exists() else {}
    start, load = time.monotonic(), os.getloadavg()[0]
    parts: dict[str, str] = {}
    everything: list[Target] = []
    images = str(Path(options.images).absolute())
    chosen = {
        title: command
        for title, command in commands(images, quick=options.quick).items()
        if not options.only or title in options.only
    }
    for title, command in chosen.items():
        print(f"{title} ...", flush=True)
        try:
            printed, measured = run(command)
        except SystemExit as failure:
            print(failure, file=sys.stderr, flush=True)
            continue
        targets = [Target(**target) for target in measured["targets"]]
        everything += targets
        shown = " ".join(["python", f"benchmarks/{command[0]}", *command[1:]]).replace(images, "IMAGES")
        print(printed, flush=True)
        when = f"{datetime.date.today():%Y-%m-%d}"
        parts[title] = f"## {title}\n\n`{shown}`, {when}\n\n```text\n{printed}\n```\n\n{table(targets, reasons)}\n"
    failed = [title for title in chosen if title not in parts]
    if options.only or failed:
        options.page.write_text(replaced(options.page.read_text(), parts))
        print(f"{len(parts)} sections of {options.page} are new")
        raise SystemExit(f"failed: {', '.join(failed)}" if failed else 0)
    minutes = (time.monotonic() - start) / 60
    reached = sum(target.reached for target in everything)
    head = [
        "# Benchmarks\n",
        f"Written by `make bench` on {datetime.date.today():%Y-%m-%d}, in {minutes:.0f} minutes, on {machine()}.",
        f"Load average before it began: {load:.2f}. {reached} of {len(everything)} bounds are reached.",
        "Programs alternate (A B A B); figures are medians, and ratios are taken pair by pair.\n",
    ]
    options.page.write_text("\n".join([*head, *parts.values()]))
    print(f"{reached} of {len(everything)} bounds reached; written to {options.page}")


if __name__ == "__main__":
    main()
