"""The command line: `flowerexp [overrides]`, and named commands beside it. Thin: it parses, dispatches and reports."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from flowerexp import __version__
from flowerexp.config.places import group_options, using
from flowerexp.errors import FlowerexpError, did_you_mean, from_os_error

COMMANDS = (
    *("new", "plan", "rehearse", "resume", "attach", "rerun", "compare", "gate", "history", "predict", "report"),
    *("clusters", "cleanup", "ui", "verify", "log"),
)
"""The named commands: each is a module in `flowerexp.commands`."""

_FAILED = {"gate": 3}
"""What a command exits with after an error, where 1 says something else."""


def _run(command: str, arguments: Sequence[str]) -> int:
    return int(import_module(f"flowerexp.commands.{command}").main(arguments))


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 if all went well, 1 for an error that was reported, 130 after Ctrl-C.

    `gate` exits with 3 after an error, also one that is a bug: its 1 says that something got slower.
    """
    arguments, config_dir = _split(sys.argv[1:] if argv is None else argv)
    failed = _FAILED.get(arguments[0] if arguments else "", 1)
    # Composing a config makes many objects that stay: to look for garbage after each 700 of them is work for nothing.
    gc.set_threshold(50_000, 20, 20)
    # The interpreter's last look for garbage takes a second over the libraries of a run, and frees what ends anyway.
    atexit.register(gc.freeze)
    try:
        with using(config_dir):
            sys.exit(_dispatch(arguments))
    except FlowerexpError as error:
        from flowerexp.config.redact import redacted
        from flowerexp.escape import printable

        print(printable(f"flowerexp: {redacted(str(error))}"), file=sys.stderr)
        sys.exit(failed)
    except KeyboardInterrupt:
        print("flowerexp: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(failed)
    except OSError as error:
        from flowerexp.escape import printable

        print(printable(f"flowerexp: {from_os_error(error, 'using')}"), file=sys.stderr)
        sys.exit(failed)
    except Exception:
        if failed == 1:
            raise  # Python shows it, and exits with 1
        traceback.print_exc()
        sys.exit(failed)


def _dispatch(arguments: list[str]) -> int:
    completing = "-sc" in arguments or "--shell-completion" in arguments
    if completing and os.environ.get("COMP_LINE"):
        return _complete(arguments)
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return _run(first, arguments[1:])
    if first == "help" or "-h" in arguments or "--help" in arguments:
        from flowerexp.commands.help import page

        print(page())
        return 0
    if "--version" in arguments:
        print(f"flowerexp {__version__}")
        return 0
    _refuse_bare_words(arguments)
    return _run("experiment", arguments)


def _split(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """A command line without `--config-dir DIR`, which may stand anywhere in it, and DIR."""
    rest, config_dir, words = [], None, iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            config_dir = value if equals else next(words, "")
        else:
            rest.append(word)
    return rest, config_dir


_TAKES_VALUE = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"}
_TAKES_VALUE |= {"--info", "-i", "--experimental-rerun"}


def _refuse_bare_words(arguments: Sequence[str]) -> None:
    """A word without `=` is never a valid override, so it is a mistyped command or a forgotten value."""
    before, completing = "", "-sc" in arguments or "--shell-completion" in arguments
    for word in arguments:
        bare = "=" not in word and not word.startswith(("-", "~"))
        if bare and word in COMMANDS and before not in _TAKES_VALUE and not completing:
            first = f"commands come first: flowerexp {word}"
            raise FlowerexpError(f"'{word}' is not a command here", where="command line", hint=first)
        if bare and before not in _TAKES_VALUE and not completing:
            hint = did_you_mean(word, COMMANDS)
            if not hint or not hint.startswith("did you mean"):
                near = did_you_mean(word, group_options())
                hint = near if near and near.startswith("did you mean") else f"commands are {', '.join(COMMANDS)}"
                hint = f"{hint} an override is KEY=VALUE" if hint is near else f"{hint}; an override is KEY=VALUE"
            raise FlowerexpError(f"'{word}' is not a command", where="command line", hint=hint)
        before = word


def _offers(command: str | None, words: Sequence[str]) -> list[str]:
    """Flags, or the sweeps that a command takes; nothing where a command or an override is being typed."""
    last = words[-1] if words else ""
    if not command and not last.startswith("-"):
        return []
    from flowerexp.commands.completing import offered

    return offered(command, last, words[-2] if len(words) > 1 else "")


def _complete(arguments: list[str]) -> int:
    """Complete a command's name here; let Hydra complete overrides, as if the command and its words were not there."""
    program, _, rest = os.environ["COMP_LINE"].lstrip().partition(" ")
    words, config_dir = _split([*rest.split(), *([""] if rest.endswith(" ") or not rest else [])])
    command = words[0] if words and words[0] in COMMANDS and len(words) > 1 else None
    with using(config_dir if config_dir and Path(config_dir).is_dir() else None):
        if offers := _offers(command, words):
            print(" ".join(offers))
            return 0
        if command:
            words = [word for word in words[1:-1] if "=" in word or word.startswith("~")] + words[-1:]
        elif len(words) == 1:
            names = [name for name in COMMANDS if name.startswith(words[0])]
            if names and words[0]:
                print(" ".join(names))
                return 0
            print(" ".join(names), end=" ")
        elif not words:  # the value of --config-dir is being typed, which the shell completes
            return 0
        os.environ["COMP_LINE"] = " ".join([program, *words])
        return _run("experiment", arguments)
