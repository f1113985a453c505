"""Hydra's override grammar, in which text stays what was typed, and refusals say how to write it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from typing import Any

from antlr4 import CommonTokenStream, InputStream, ParserRuleContext
from hydra.core.override_parser.overrides_parser import KEY_RULES, OverridesParser
from hydra.core.override_parser.overrides_visitor import HydraErrorListener, HydraOverrideVisitor
from hydra.core.override_parser.types import ChoiceSweep, Glob, Key, Override, Quote, QuotedString, Sweep
from hydra.errors import HydraException
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser

from flowerexp.config.renamed import config_of, today
from flowerexp.config.text import as_typed, chooses_option, holds_text
from flowerexp.errors import ConfigError

SPARK = "cluster.spark."
"""What the keys begin with that set Spark's properties, such as `cluster.spark.spark.sql.shuffle.partitions`."""

_FORCED = ("sweep.axes", "grid.", "entrypoint.settings.")

_OF_NUMBERS = frozenset({"range", "interval", "int", "float", "bool"})


class Parser(OverridesParser):
    """Hydra's parser, but for keys that hold text: `dataset.path=2024_10` is not a number."""

    def parse_rule(self, s: str, rule_name: str) -> Any:
        """See Hydra's `OverridesParser.parse_rule`, which is this one with Hydra's own visitor."""
        listener = HydraErrorListener()
        lexer = OverrideLexer(InputStream(s))
        lexer.removeErrorListeners()
        lexer.addErrorListener(listener)
        if rule_name not in KEY_RULES:
            lexer.mode(OverrideLexer.VALUE_MODE)
        parser = OverrideParser(CommonTokenStream(lexer))
        parser.removeErrorListeners()
        parser.addErrorListener(listener)
        found = _Visitor(self.functions).visit(getattr(parser, rule_name)())
        if isinstance(found, Override):
            found.key_or_group, found.input_line = today(found.key_or_group), today(s)
            if isinstance(value := found.value(), dict):
                found._value = config_of({found.key_or_group: value})[found.key_or_group]
            found.validate()
            _refuse_misfits(found)
        return found


class _Visitor(HydraOverrideVisitor):
    """Reads a parsed override; knows at which key it is."""

    _key = ""

    @contextlib.contextmanager
    def _at(self, key: str) -> Iterator[None]:
        before, self._key = self._key, key
        try:
            yield
        finally:
            self._key = before

    def visitKey(self, ctx: OverrideParser.KeyContext) -> Key:  # noqa: N802
        key = super().visitKey(ctx)
        self._key = key.key_or_group
        return key

    def visitDictKeyValuePair(self, ctx: OverrideParser.DictKeyValuePairContext) -> tuple[str, Any]:  # noqa: N802
        key, _, value = ctx.getChildren()
        name = self.visitDictKey(key)
        with self._at(f"{self._key}.{name.text if isinstance(name, QuotedString) else name}"):
            return name, self.visitElement(value)

    def visitElement(self, ctx: OverrideParser.ElementContext) -> Any:  # noqa: N802
        if _wants_a_number(ctx):
            with self._at(""):
                return super().visitElement(ctx)
        return super().visitElement(ctx)

    def _createPrimitive(self, ctx: ParserRuleContext) -> Any:  # noqa: N802
        text = ctx.getText().strip()
        try:
            value = super()._createPrimitive(ctx)
        except ValueError as error:  # Python reads no number of thousands of digits
            if holds_text(self._key):
                return text
            raise HydraException(f"{self._key}: {error}") from error
        return as_typed(self._key, value, text) if isinstance(value, bool | int | float) else value


def _refuse_misfits(override: Override) -> None:
    """Refuse what the grammar allows and nothing takes.

    Raises:
        ConfigError: a sweep within a value, or a list of options of a group with something in it that is not a name.
    """
    value, line = override.value(), str(override.input_line)
    line = line.removeprefix("++") if line.removeprefix("++").startswith(_FORCED) else line  # as it was typed
    choices = value.list if isinstance(value, ChoiceSweep) else [value]
    parts = _within(choices if isinstance(value, ChoiceSweep) else value)
    if any(isinstance(part, Sweep | Glob) for part in parts):
        hint = f"write the values one by one, or sweep over {override.key_or_group} alone"
        raise ConfigError(f"{line} has a sweep within a value", where="command line", hint=hint)
    lists = [choice for choice in choices if isinstance(choice, list)]
    if chooses_option(override.key_or_group) and not all(isinstance(name, str) for names in lists for name in names):
        raise ConfigError(
            f"{line} does not name an option", where="command line", hint="name one of the group's options"
        )


def _within(value: Any) -> list[Any]:
    """All that a list or mapping holds, on every level."""
    items = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [part for item in items for part in (item, *_within(item))]


def _wants_a_number(ctx: OverrideParser.ElementContext) -> bool:
    """Is it an argument of a function of numbers, such as `range`, or a keyword argument, such as `reverse=true`?"""
    function = ctx.parentCtx
    if not isinstance(function, OverrideParser.FunctionContext):
        return False
    children = list(function.getChildren())
    before = children[children.index(ctx) - 1]
    return children[0].getText() in _OF_NUMBERS or isinstance(before, OverrideParser.ArgNameContext)


def unreadable(override: str, where: str = "command line") -> ConfigError:
    """What to say of an override that Hydra's grammar cannot read."""
    key, _, value = override.partition("=")
    example = "'key=\"a b\"'"
    if value and not value.startswith(("[", "{", "'", '"')):
        quoted = f"{key}={QuotedString(value, Quote.double).with_quotes()}"
        with contextlib.suppress(HydraException):
            if Parser.create().parse_override(quoted).value() == value:
                example = shlex.quote(quoted)
    hint = f"quote values that hold spaces, commas, brackets, quotes, or one of = # & ~ : ! ;: {example}"
    return ConfigError(f"'{override}' cannot be read as KEY=VALUE", where=where, hint=hint)


def refuse_sweep(override: Override, hint: str) -> None:
    """Refuse an override that sweeps over values, where one value is wanted.

    Args:
        override: the parsed override.
        hint: what to do about it, beside writing a list where a list is allowed.

    Raises:
        ConfigError: it sweeps.
    """
    if override.is_sweep_override():
        key = override.key_or_group
        hint = hint if chooses_option(key) else f"{hint}, or write a list: {key}=[...]"
        raise ConfigError(f"{override.input_line} is a sweep over several values", where="command line", hint=hint)


def forced(override: str) -> str:
    """An override that may set a key which its node has not held before: Hydra would want a + before it.

    The axes of a sweep are empty in the config, so is the grid of an experiment that brings no values, and Spark has
    properties without number; the check knows which keys there may be. The name of a property of Spark stays one key:
    `spark.speculation` and `spark.speculation.interval` may both have a value.
    """
    if override.startswith(_FORCED):
        return f"++{override}"
    key, equals, value = override.partition("=")
    name = key.lstrip("+")
    if not equals or not name.startswith(SPARK):
        return override
    try:
        simple = bool(value) and not Parser.create().parse_override(f"{name}={value}").is_sweep_override()
    except HydraException:
        return override  # who parses it says what is wrong
    if not simple:
        return f"++{name}={value}"
    return f"++{SPARK[:-1]}={{{name.removeprefix(SPARK)}:{value}}}"
