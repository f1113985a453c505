"""`flowerexp gate BASELINE [KEY=VALUE ...]`: is the code that is here slower than a baseline? For CI."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flowerexp.errors import ConfigError, from_os_error
from flowerexp.escape import printable

if TYPE_CHECKING:
    from flowerexp.gate.outcome import Outcome

_BASELINE = (
    "a branch, tag or commit of git; a run_id of MLflow; tag:NAME=VALUE, the newest run with that tag; last-valid or "
    "last-valid@BRANCH, the newest commit with a valid run; run:ID or commit:NAME if a word is both"
)


def main(arguments: Sequence[str]) -> int:
    """Make the runs, say what came out, and write what was asked for; 0, 1, 2 or 3."""
    parser = argparse.ArgumentParser(
        prog="flowerexp gate",
        description="Is the code in your working tree slower than a baseline? Makes new runs of both, in turn.",
        epilog="exit codes: 0 not slower, 1 slower, 2 inconclusive, 3 nothing measured or an error",
    )
    parser.add_argument("baseline", nargs="?", metavar="BASELINE", help=_BASELINE)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="the config of the runs; gate.KEY=VALUE is a setting of the gate",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML, a test case for each series")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for a pull request")
    parser.error = _refuse  # type: ignore[method-assign]
    options = parser.parse_intermixed_args(list(arguments))

    from flowerexp.config.places import flags_for, own_folder
    from flowerexp.config.redact import redacted
    from flowerexp.gate.asked import Request
    from flowerexp.gate.gating import gate
    from flowerexp.gate.output.text import text

    if options.baseline is None or "=" in options.baseline.partition(":")[0]:
        raise ConfigError("a gate needs a baseline", where="command line", hint=_HINT)
    words = [word for word in options.overrides if "=" not in word and not word.startswith("~")]
    if words:
        raise ConfigError(f"'{words[0]}' is not KEY=VALUE", where="command line", hint=_HINT)
    own = own_folder()
    flags = flags_for(own, Path.cwd()) if own else []
    command = shlex.join(["flowerexp", "gate", *map(str, map(redacted, arguments)), *flags])
    outcome = gate(Request(options.baseline, options.overrides, own), command, _say)
    print(printable(str(redacted(text(outcome)))))
    _write(outcome, options)
    return outcome.exit_code


_HINT = "usage: flowerexp gate BASELINE [KEY=VALUE ...]; flowerexp gate --help says more"


def _refuse(message: str) -> NoReturn:
    raise ConfigError(message, where="command line", hint=_HINT)


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _write(outcome: Outcome, options: argparse.Namespace) -> None:
    """Write the files that were asked for.

    Raises:
        MachineError: one cannot be written.
    """
    from flowerexp.gate.output.as_json import as_json
    from flowerexp.gate.output.as_markdown import as_markdown
    from flowerexp.gate.output.junit import junit

    forms: list[tuple[Path | None, Callable[[Outcome], str]]]
    forms = [(options.json, as_json), (options.junit, junit), (options.markdown, as_markdown)]
    for path, form in forms:
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(form(outcome), encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, "writing") from error
