"""Everything that a user may choose: the schema behind `conf/`, and the checks that run before anything starts."""

from flowerexp.config.check import check
from flowerexp.config.convert import key_of, plain, typed
from flowerexp.config.earlier import recorded, upgraded
from flowerexp.config.origin import Origin
from flowerexp.config.plugins import check_plugins
from flowerexp.config.roles import is_of, keys_with, measured_part
from flowerexp.config.schema import Config

__all__ = [
    "Config",
    "Origin",
    "check",
    "check_plugins",
    "is_of",
    "key_of",
    "keys_with",
    "measured_part",
    "plain",
    "recorded",
    "typed",
    "upgraded",
]
