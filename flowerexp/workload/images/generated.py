"""Where the synthetic data set lies, and the version and fingerprint by which it is known; `generating` makes it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flowerexp import storage

#: The file beside the class folders that is written last; a folder without it is not complete.
COMPLETE = "complete.json"

#: The version of what `synthetic.photograph` makes: raise it with every change there that changes a byte. It is here
#: because a plan needs it, and importing `synthetic` would import OpenCV.
SYNTHETIC_VERSION = 1


def synthetic_fingerprint(config: dict[str, Any]) -> str:
    """The fingerprint of a sample of synthetic photographs; it follows from the config, so they need not exist yet."""
    sampling = [config["sampling"][key] for key in ("fraction", "seed")]
    if config["sampling"]["fraction"] < 1 and (least := config["sampling"].get("least")):
        sampling.append(least)
    known = [_name(config), config["dataset"]["classes"], *sampling]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def synthetic_folder(config: dict[str, Any]) -> str:
    """The path or URI of a run's synthetic data set, whether or not it exists."""
    return storage.join(config["storage"]["generated"], _name(config))


def _name(config: dict[str, Any]) -> str:
    return f"synthetic-v{SYNTHETIC_VERSION}-{config['dataset']['images']}-seed{config['dataset']['seed']}"
