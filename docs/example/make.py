"""Make the example report again: `make example`, or `python docs/example/make.py RUN` for a finished run.

It compares formats and readers of generated photographs in a temporary home folder, and keeps the report and some of
its pictures as separate files, which follow the reader's light or dark scheme.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from flowerexp.analysis.report import make_report
from flowerexp.errors import FlowerexpError

HERE = Path(__file__).parent
RUN = ("experiment=formats", "dataset=synthetic")
PICTURES = {"speed.svg": "How fast. The best first", "executors.svg": "Where the time went."}
"""Names of files, and how the labels of their pictures begin."""


def run(home: Path) -> Path:
    """Make the run and return its folder."""
    command = [sys.executable, "-m", "flowerexp", *RUN]
    subprocess.run(command, env={**os.environ, "FLOWEREXP_HOME": str(home)}, cwd=home, check=True)
    (record,) = home.glob("outputs/*/*/run.json")
    return record.parent


def alone(picture: str, page: str) -> str:
    """An ``<svg>`` element of a page as a file, with the page's colours and font and a background."""
    blocks = re.findall(r":root \{.*?\}", page, re.DOTALL)
    styles = f"{blocks[0]} @media (prefers-color-scheme: dark) {{ {blocks[1]} }} * {{ stroke-linejoin: round; }}"
    ground = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    start = picture.index(">") + 1
    _, _, width, height = re.search(r'viewBox="([^"]+)"', picture)[1].split()  # type: ignore[index]
    head = re.sub(r' style="[^"]*"', f' width="{width}" height="{height}"', picture[:start])
    return f"{head}<style>{styles}</style>{ground}{picture[start:]}\n"


def take(folder: Path, to: Path) -> None:
    """Make a run's report, and put the report and its pictures into a folder.

    Raises:
        SystemExit: the report lacks a picture, or names this machine or one of its folders.
    """
    html, markdown, cells, *_ = make_report(folder).paths
    for path in (html, markdown, cells):
        shutil.copy(path, to / path.name)
    page = html.read_text(encoding="utf-8")
    pictures = dict(re.findall(r'(?=<svg [^>]*aria-label="([^"]*)")(<svg .*?</svg>)', page, re.DOTALL))
    for name, label in PICTURES.items():
        found = next((svg for text, svg in pictures.items() if text.startswith(label)), None)
        if found is None:
            raise SystemExit(f"the report has no picture '{label}'")
        (to / name).write_text(alone(found, page), encoding="utf-8")
    for word in (str(Path.home()), tempfile.gettempdir(), str(folder.absolute().parent), socket.gethostname()):
        for path in to.iterdir():
            if path.suffix != ".py" and re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", path.read_text()):
                raise SystemExit(f"{path} names this machine or one of its folders: {word}")


def main() -> None:
    """Make the run unless one is named, and take its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="the folder of a finished run; default: make one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        try:
            take(options.run or run(Path(home)), HERE)
        except FlowerexpError as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
