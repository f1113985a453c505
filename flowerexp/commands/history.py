"""`flowerexp history`: how has a metric changed over commits and dates, on each machine?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flowerexp.errors import ConfigError, from_os_error
from flowerexp.escape import printable

if TYPE_CHECKING:
    from flowerexp.analysis.history.lines import Line
    from flowerexp.tracking.store import Store

_STORE = ("home", "tracking")
"""The keys that name the store."""


def main(arguments: Sequence[str]) -> int:
    """Print the history of metrics, and write it to files where they are wanted."""
    options = _parser().parse_intermixed_args(arguments)
    named = [word for word in options.words if "=" in word]
    wrong = next((word for word in named if word.partition("=")[0].partition(".")[0] not in _STORE), None)
    if wrong:
        hint = f"for runs with that value: --where {wrong}; tracking.uri=... or home=... names the store"
        raise ConfigError(f"{wrong} does not name a store", where="command line", hint=hint)
    choices = dict(map(_choice, options.where))
    since = _since(options.since)

    from flowerexp.analysis.history.lines import lines
    from flowerexp.app import composed
    from flowerexp.tracking import Store
    from flowerexp.tracking.history import Wanted, find_history

    store = Store.of(composed(named).tracking)
    words = tuple(word for word in options.words if "=" not in word)
    wanted = Wanted(words, tuple(options.experiment), tuple(options.metric), since, options.host, choices)
    found, left_out = find_history(store, wanted)
    some = lines(found)
    print(printable(_answer(some, left_out)))
    _write(options, some, left_out, store)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flowerexp history",
        description="How has a metric changed over commits and dates? A line for each machine, series and "
        "configuration, with the changes that noise does not explain.",
        epilog="tracking.uri=... or home=... names the store.",
    )
    what = "an experiment, a metric, or KEY=VALUE that names the store"
    parser.add_argument("words", nargs="*", metavar="NAME", help=what)
    parser.add_argument(
        "--experiment", action="append", default=[], metavar="NAME", help="only runs of this experiment"
    )
    value = "instead of the experiment's value, such as time/measure_seconds, or seconds for that of each series"
    parser.add_argument("--metric", action="append", default=[], metavar="NAME", help=value)
    parser.add_argument("--since", metavar="DATE", help="only runs that began then or later, such as 2026-11-01")
    parser.add_argument("--host", metavar="NAME", help="only runs on that machine")
    only = "only runs with that value, such as caching=true"
    parser.add_argument("--where", action="append", default=[], metavar="KEY=VALUE", help=only)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with a chart for each line")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write lines, points and changes as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each point")
    parser.add_argument("--mlflow", action="store_true", help="log each line to MLflow, or only its new points")
    return parser


def _choice(word: str) -> tuple[str, str]:
    """A key with its value as params have it: a list without spaces."""
    import json

    key, equals, value = word.partition("=")
    if not key or not equals:
        raise ConfigError(f"{word} is not KEY=VALUE", where="--where", hint="write such as --where caching=true")
    try:
        plain = json.loads(value)
    except ValueError:
        return key, value
    return key, plain if isinstance(plain, str) else json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _since(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError as error:
        raise ConfigError(f"{text} is not a date", where="--since", hint="write it as 2026-11-01") from error


def _answer(some: Sequence[Line], left_out: Mapping[str, int]) -> str:
    from flowerexp.analysis.history import table

    said = [
        table.text(some)
        if some
        else "no run in the store fits: leave conditions out, or run an experiment first: flowerexp"
    ]
    tested = [line for line in some if line.levels]
    changed = sum(len(line.changes) for line in tested)
    if tested:
        chance = "noise alone finds one in at most 1 of 20 lines, and in more if a machine's speed varies slowly"
        said.append(f"changes   {changed}, looked for in {len(tested)} of {len(some)} lines; {chance}")
    return "\n\n".join([*said, *filter(None, [table.left_out(left_out)])])


def _write(options: argparse.Namespace, some: Sequence[Line], left_out: Mapping[str, int], store: Store) -> None:
    from flowerexp.analysis.history import files

    contents = {}
    if options.html:
        from flowerexp.analysis.history.page import html

        contents[options.html] = html(some, left_out, store.address)
    if options.json:
        contents[options.json] = files.as_json(some, left_out)
    if options.csv:
        contents[options.csv] = files.as_csv(some)
    for path, content in contents.items():
        try:
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, "writing") from error
        print(printable(f"written   {path}"))
    if options.mlflow and some:
        from flowerexp.tracking.history_chart import log_history

        place = log_history(some, store)
        print(printable(f"MLflow    {len(some)} lines in the experiment {place.experiment!r} of {place.address}"))
