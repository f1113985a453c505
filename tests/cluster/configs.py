"""Configs for tests that read a config alone: composed once for each choice of groups, values set afterwards."""

from __future__ import annotations

import copy
import functools
from typing import Any

import yaml

from flowerexp.config import Config, plain, typed
from tests.composing import composed


@functools.cache
def _composed(*choices: str) -> dict[str, Any]:
    found: dict[str, Any] = plain(composed(["home=/nowhere", "gcp.project=p", *choices]))
    return found


def made(*overrides: str) -> Config:
    """A run's checked config.

    An override `KEY.KEY=VALUE` is not checked, nor followed by what refers to it; one that names a place (with a slash)
    is, since configs insist on some.
    """
    values = [override for override in overrides if "." in override.partition("=")[0] and "/" not in override]
    config = copy.deepcopy(_composed(*(override for override in overrides if override not in values)))
    for override in values:
        key, _, value = override.partition("=")
        *outer, last = key.split(".")
        node = config
        for part in outer:
            node = node[part]
        node[last] = yaml.safe_load(value)
    return typed(config)
