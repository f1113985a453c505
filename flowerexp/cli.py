"""The command line: `flowerexp [overrides]`, and named commands beside it. Thin: it parses, dispatches and reports."""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from flowerexp import __version__
from flowerexp.config.places import groups
from flowerexp.errors import FlowerexpError, did_you_mean, from_os_error

HELP = """\
flowerexp: describe an experiment in YAML, run it on Spark, compare the runs in MLflow.

usage: flowerexp [FLAGS] [KEY=VALUE ...]      run one experiment
       flowerexp COMMAND [...]

commands:
  plan [-m] [...]   show what would run, what is done already and how long it takes; starts nothing (--json)
  resume SWEEP      run what is missing of a sweep that was stopped or killed; SWEEP is its folder, or part of its name
  rerun RUN         run an earlier run again, after showing what differs now; KEY=VALUE changes single values
  compare RUN RUN   is one run faster than another? ratios with confidence intervals; RUN is MLflow's run_id
  predict RUN [...] what would a cell give that was not measured? KEY=VALUE says which; RUN is as above, or a sweep's id
  report FOLDER     make the report of a sweep or a run: an HTML page with its tables, pictures and verdicts
  clusters          what of ours runs in the cloud, and what it costs an hour
  cleanup           delete what is left of ours in the cloud (--dry-run only says what; --bucket takes all data, too)
  ui [--port N]     open the MLflow pages of what was run
  verify [FOLDER]   are the files of prepared data whole? names those that are damaged
  log FOLDER        log a run's folder to MLflow (again), when the server failed at the time

config groups (GROUP=OPTION chooses; the first run of all takes what is marked *):
{groups}

examples:
  flowerexp                                                generated photographs, a quick grid
  flowerexp dataset=folder dataset.path=DIR grid=notebook  your own: DIR/CLASS/*.jpg
  flowerexp entrypoint=write_tfrecords preprocess.partitions=32 caching=false
  flowerexp experiment=caching                             the sweep in conf/experiment/caching.yaml

flags (they come first): -m sweeps over comma-separated values, --cfg job shows the config, --info what it is made of,
  --config-dir DIR adds configs of yours, -sc install=bash completion: eval "$(flowerexp -sc install=bash)";
  --hydra-help for the rest

where results go: outputs/DATE/TIME-ID/ (a folder a run), data/ (photographs and TFRecord files that were made),
  mlruns/ (the MLflow store), all below the current folder, or below FLOWEREXP_HOME if that is set.
"""


COMMANDS = ("plan", "resume", "rerun", "compare", "predict", "report", "clusters", "cleanup", "ui", "verify", "log")
"""The named commands: each is a module in `flowerexp.commands`."""


def _run(command: str, arguments: Sequence[str]) -> int:
    return int(import_module(f"flowerexp.commands.{command}").main(arguments))


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 if all went well, 1 for an error that was reported, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # The interpreter's last look for garbage takes a second over the libraries of a run, and frees what ends anyway.
    atexit.register(gc.freeze)
    try:
        sys.exit(_dispatch(arguments))
    except FlowerexpError as error:
        from flowerexp.config.redact import redacted
        from flowerexp.escape import printable

        print(printable(f"flowerexp: {redacted(str(error))}"), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("flowerexp: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        from flowerexp.escape import printable

        print(printable(f"flowerexp: {from_os_error(error, 'using')}"), file=sys.stderr)
        sys.exit(1)


def _dispatch(arguments: list[str]) -> int:
    completing = "-sc" in arguments or "--shell-completion" in arguments
    if completing and os.environ.get("COMP_LINE"):
        return _complete()
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return _run(first, arguments[1:])
    if first == "help" or "-h" in arguments or "--help" in arguments:
        print(help_text())
        return 0
    if "--version" in arguments:
        print(f"flowerexp {__version__}")
        return 0
    _refuse_bare_words(arguments)
    return _run("experiment", arguments)


def help_text() -> str:
    """The help page; the groups are read from the config folder, and nothing is composed."""
    from flowerexp.config.places import config_folder

    chosen = set(re.findall(r"^  - (\w+: \w+)", (config_folder() / "config.yaml").read_text(encoding="utf-8"), re.M))
    lines = []
    for group, options in groups().items():
        shown = ", ".join(f"{option}*" if f"{group}: {option}" in chosen else option for option in options)
        lines.append(f"  {group:<12}{shown}")
    return HELP.format(groups="\n".join(lines)).rstrip()


_TAKES_VALUE = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"}
_TAKES_VALUE |= {"--info", "-i", "--experimental-rerun"}


def _refuse_bare_words(arguments: Sequence[str]) -> None:
    """A word without `=` is never a valid override, so it is a mistyped command or a forgotten value."""
    before, completing = "", "-sc" in arguments or "--shell-completion" in arguments
    for word in arguments:
        bare = "=" not in word and not word.startswith(("-", "~"))
        if bare and word in COMMANDS and before not in _TAKES_VALUE and not completing:
            first = f"commands come first: flowerexp {word}"
            raise FlowerexpError(f"'{word}' is no command here", where="command line", hint=first)
        if bare and before not in _TAKES_VALUE and not completing:
            hint = did_you_mean(word, COMMANDS)
            if not hint or not hint.startswith("did you mean"):
                near = did_you_mean(word, groups())
                hint = near if near and near.startswith("did you mean") else f"commands are {', '.join(COMMANDS)}"
                hint = f"{hint} an override is KEY=VALUE" if hint is near else f"{hint}; an override is KEY=VALUE"
            raise FlowerexpError(f"'{word}' is no command", where="command line", hint=hint)
        before = word


def _complete() -> int:
    """Complete a command's name here; let Hydra complete overrides, as if the command and its words were not there."""
    program, _, rest = os.environ["COMP_LINE"].lstrip().partition(" ")
    words = rest.split()
    typing = words[0] if words and not (len(words) == 1 and rest.endswith(" ")) else ""
    if words and words[0] in COMMANDS and (len(words) > 1 or rest.endswith(" ")):
        last = "" if rest.endswith(" ") else words[-1]
        words = [word for word in words[1:] if "=" in word or word.startswith("~") or word is last]
        os.environ["COMP_LINE"] = f"{program} {' '.join(words)}{' ' if rest.endswith(' ') and words else ''}"
    elif len(words) <= 1 and typing == (words[0] if words else ""):
        names = [name for name in COMMANDS if name.startswith(typing)]
        if names and typing:
            print(" ".join(names))
            return 0
        print(" ".join(names), end=" ")
    return _run("experiment", sys.argv[1:])
