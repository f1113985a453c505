"""The kind `synthetic`: generated photographs."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.config.fields import MOST_SEEDS, number
from flowerexp.config.schema import Dataset
from flowerexp.dataset.kind import DatasetKind


@dataclass(frozen=True, kw_only=True)
class Synthetic(Dataset):
    """Generated photographs: `images` of them, from `seed`."""

    images: int = number(min=1, max=10_000_000)
    seed: int = number(min=0, max=MOST_SEEDS)


class SyntheticKind(DatasetKind):
    """Generated photographs."""

    config = Synthetic
