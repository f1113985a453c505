"""What a sweep runs: Hydra's grammar on the command line, and beside it axes, zips, designs, exclusions and repeats."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from flowerexp.config.answers import answer
from flowerexp.config.hydra_private import grammar_text
from flowerexp.config.overrides import Parser, unreadable
from flowerexp.config.renamed import keys_of
from flowerexp.errors import ConfigError, did_you_mean
from flowerexp.sweep.design import Design, fraction
from flowerexp.sweep.values import comparable, text_of

MOST_RUNS = 100_000


@dataclass(frozen=True)
class _Setting:
    """One key with one value: as an override, and in a form in which equal values are equal."""

    key: str
    override: str
    value: str


_Axis = list[tuple[_Setting, ...]]  # what an axis steps through: at each step, settings that move together


class Expanded(list[list[str]]):
    """The overrides of every run of a sweep, and the fractional design that they are, if they are one."""

    design: Design | None = None


def expand(overrides: Sequence[str], sweep: Mapping[str, Any], config_loader: ConfigLoader) -> Expanded:
    """The overrides of every run of a sweep, in the order in which they are declared.

    The axes of the command line vary slowest, in Hydra's order; then those of `sweep.zip`; then those of `sweep.axes`,
    of which the last varies fastest. Repeats are blocks around it all. A key that the command line sets is not an axis
    of the config any more; one of a zip leaves it, and the others move on without it.

    Args:
        overrides: the command line's overrides of the task.
        sweep: the config's `sweep` node.
        config_loader: Hydra's, for `glob`.

    Raises:
        ConfigError: something in it makes no sense; or no run is left, or very many are.
    """
    node = _plain(sweep)
    parser = Parser.create(config_loader=config_loader)
    command = _command_axes(overrides, parser)
    taken = {step[0].key: "command line" for axis in command for step in axis}
    zips = _zips(node.get("zip"), taken, parser)
    axes = [*command, *zips, *_axes(node.get("axes"), taken, parser)]
    blocks = _blocks(node.get("repeats", 1), taken)
    rows, design = fraction([(_name(axis), len(axis)) for axis in axes], node) or (None, None)
    _refuse_too_many([len(blocks), *([len(axis) for axis in axes] if rows is None else [len(rows)])])
    keys = [setting.key for axis in (*axes, blocks) for setting in axis[0]]
    rules = _rules(node.get("exclude"), keys)
    combinations = itertools.product(*axes) if rows is None else (_steps_of(row, axes) for row in rows)
    each = [_joined(combination) for combination in combinations]
    runs = [(*run, *block) for block in blocks for run in each]
    kept = Expanded([setting.override for setting in run] for run in runs if not _excluded(run, rules))
    if not kept:
        raise ConfigError(f"none of {len(runs):,} runs is left", where="sweep.exclude", hint="exclude less")
    kept.design = design and replace(design, left_out=len(runs) - len(kept))
    return kept


def _name(axis: _Axis) -> str:
    """The key of an axis; of a zip, all of its keys."""
    return " and ".join(setting.key for setting in axis[0])


def _steps_of(row: Sequence[int], axes: Sequence[_Axis]) -> list[tuple[_Setting, ...]]:
    return [axis[place] for axis, place in zip(axes, row, strict=True)]


def _plain(sweep: Any) -> dict[str, Any]:
    if not isinstance(sweep, Mapping | DictConfig):
        shown = "null" if sweep is None else sweep
        raise ConfigError(f"sweep={shown} must be a group of keys", where="sweep", hint="write sweep.KEY=VALUE")
    if not isinstance(sweep, DictConfig):
        return dict(keys_of(dict(sweep)))
    root = sweep._get_root()
    try:
        if isinstance(root, DictConfig) and "hydra" in root:
            answer(root, sweep)
        node: Any = OmegaConf.to_container(sweep, resolve=True)
        return {str(key): keys_of(value) for key, value in node.items()}
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error.msg or error).split()), where=error.full_key or "sweep") from error


def _joined(steps: Iterable[tuple[_Setting, ...]]) -> tuple[_Setting, ...]:
    return tuple(itertools.chain.from_iterable(steps))


def _setting(element: str, value: Any, text: str) -> tuple[_Setting, ...]:
    key = element.lstrip("+~")
    return (_Setting(key, f"{element}={text}", comparable(value, key)),)


def _command_axes(overrides: Sequence[str], parser: OverridesParser) -> list[_Axis]:
    """The command line as Hydra's basic sweeper reads it: an axis a key, in order; a key's last override counts."""
    axes: dict[str, _Axis] = {}
    for override in overrides:
        parsed = _parsed(override, parser, "command line")
        if parsed.is_sweep_override() and parsed.key_or_group.partition(".")[0] == "sweep":
            raise ConfigError(
                f"{override} cannot be swept over, because it describes the sweep",
                where="command line",
                hint="give it one value",
            )
        axes[parsed.get_key_element()] = _steps(parsed, "command line")
    return list(axes.values())


def _parsed(override: str, parser: OverridesParser, where: str) -> Override:
    try:
        return parser.parse_overrides([override])[0]
    except HydraException as error:
        raise unreadable(override, where) from error


def _steps(override: Override, where: str) -> _Axis:
    """The values of an override in Hydra's grammar; one that is not a sweep has a single one."""
    element, line = override.get_key_element(), override.input_line
    if not override.is_sweep_override():
        return [_setting(element, override.value(), override.get_value_element_as_str())]
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{line}: an interval has no values to run through",
            where=where,
            hint=f"write {override.key_or_group}=range(START,STOP,STEP) or a list of values",
        )
    _refuse_too_many([_count(override)], str(line), where)
    try:
        steps = [_setting(element, value, grammar_text(value)) for value in override.sweep_iterator()]
    except (HydraException, ValueError) as error:
        raise ConfigError(f"{line}: {' '.join(str(error).split())}", where=where) from error
    if not steps:
        raise ConfigError(f"{line} has no values", where=where, hint="give it one at least, or leave it out")
    return steps


def _count(override: Override) -> float:
    """How many values a sweep over a range has; 0 of any other, whose values were written one by one."""
    numbers = override.value()
    if not isinstance(numbers, RangeSweep) or not numbers.step:
        return 0
    try:
        start, stop, step = (float(number or 0) for number in (numbers.start, numbers.stop, numbers.step))
    except OverflowError:
        return math.inf
    count = (stop - start) / step
    return math.inf if math.isnan(count) else count  # a range from or to nan never ends


def _axis(key: str, values: Any, parser: OverridesParser, where: str) -> _Axis:
    """The axis of one key of the config: a list of values, a string in Hydra's grammar, or a single value."""
    if key.lstrip("+~").replace("/", ".").partition(".")[0] in ("hydra", "sweep"):
        raise ConfigError(f"{key} cannot be swept over", where=where, hint="only keys of a run's config can")
    if isinstance(values, str):
        return _steps(_parsed(f"{key}={values}", parser, where), where)
    if values is None or values == []:
        raise ConfigError(f"{key} has no values", where=where, hint="give it one at least, or leave it out")
    element = _parsed(f"{key}=0", parser, where).get_key_element()
    listed = values if isinstance(values, list) else [values]
    return [_setting(element, value, text_of(key, value, parser, where)) for value in listed]


def _axes(node: Any, taken: dict[str, str], parser: OverridesParser) -> list[_Axis]:
    """The axes of `sweep.axes`, but for those that the command line sets."""
    where = "sweep.axes"
    axes = []
    for key, values in _flat(_mapping(node or {}, where)).items():
        if _free(key, taken, where):
            axes.append(_axis(key, values, parser, where))
    return axes


def _zips(node: Any, taken: dict[str, str], parser: OverridesParser) -> list[_Axis]:
    """The axes of `sweep.zip`: one for each mapping, whose keys move together."""
    where = "sweep.zip"
    axes = []
    for entry in _listed(node, where):
        columns = _flat(_mapping(entry, where))
        moving = {key: _axis(key, values, parser, where) for key, values in columns.items() if _free(key, taken, where)}
        lengths = {key: len(axis) for key, axis in moving.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{key} has {length} values" for key, length in lengths.items())
            raise ConfigError(f"{counts}", where=where, hint="axes that move together need as many values each")
        if moving:
            axes.append([_joined(steps) for steps in zip(*moving.values(), strict=True)])
    return axes


def _free(key: str, taken: dict[str, str], where: str) -> bool:
    """Is an axis of the config to be used? Not where the command line sets its key; two in the config are an error."""
    name = key.lstrip("+~")
    by = taken.setdefault(name, where)
    if by == "command line":
        return False
    if by != where or taken.get(f"{name} used"):
        raise ConfigError(f"{name} is an axis twice", where=where, hint=f"{by} has it already")
    taken[f"{name} used"] = where
    return True


def _listed(node: Any, where: str) -> list[Any]:
    if node is None:
        return []
    return node if isinstance(node, list) else [node]


def _mapping(node: Any, where: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise ConfigError(f"{node} is not a mapping of keys to values", where=where, hint="write {KEY: VALUES}")
    return node


def _flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as keys with dots: `+sweep.axes.grid.seed=[1,2]` makes such."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return flat


def _blocks(repeats: Any, taken: Mapping[str, str]) -> _Axis:
    """The repeats of the whole sweep: a block each, numbered by `repeat=NUMBER`."""
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise ConfigError(f"{repeats} must be a whole number of 1 or more", where="sweep.repeats")
    if repeats == 1:
        return [()]
    _refuse_too_many([repeats], where="sweep.repeats")
    if "repeat" in taken:
        raise ConfigError(
            "repeat is set twice", where=taken["repeat"], hint="sweep.repeats sets it: leave one of the two out"
        )
    return [_setting("repeat", number, str(number)) for number in range(1, repeats + 1)]


def _refuse_too_many(counts: Sequence[float], what: str = "", where: str = "sweep") -> None:
    """Refuse what would be more runs than a sweep may have, before any of them is made."""
    count = math.prod(counts)
    if count > MOST_RUNS:
        shown = "endlessly many" if math.isinf(count) else f"{count:,}" if isinstance(count, int) else f"{count:,.0f}"
        problem = f"{what + ': ' if what else ''}{shown} runs are more than {MOST_RUNS:,}"
        raise ConfigError(problem, where=where, hint="sweep over fewer values")


def _rules(node: Any, keys: Sequence[str]) -> list[dict[str, str]]:
    """The combinations to leave out, in comparable form."""
    where = "sweep.exclude"
    rules = []
    for entry in _listed(node, where):
        rule = {key.lstrip("+~"): comparable(value, key.lstrip("+~")) for key, value in _mapping(entry, where).items()}
        if not rule:
            raise ConfigError("{} would leave out every run", where=where, hint="write {KEY: VALUE}")
        for key in rule:
            if key not in keys:
                hint = did_you_mean(key, keys)
                raise ConfigError(f"no run sets {key}: it is neither an axis nor an override", where=where, hint=hint)
        rules.append(rule)
    return rules


def _excluded(run: Sequence[_Setting], rules: Sequence[Mapping[str, str]]) -> bool:
    if not rules:
        return False
    values = {setting.key: setting.value for setting in run}
    return any(all(values[key] == value for key, value in rule.items()) for rule in rules)
