"""What a trained network says of photographs that it has not seen: how often which class, and a few to look at."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flowerexp.workload.train.network import Trainer

SHOWN = 9
_QUALITY = 88


@dataclass
class Predictions:
    """Predictions of one worker, or of all.

    Attributes:
        confusion: how many photographs of each class (rows) were taken for which class (columns).
        shown: a few photographs as JPEG files in base64, each with its class, the one that it was taken for, and the
            probability of that.
    """

    confusion: list[list[int]]
    shown: list[dict[str, Any]] = field(default_factory=list)

    def plain(self, classes: Sequence[str], seed: int) -> dict[str, Any]:
        """As JSON can hold it, with `SHOWN` of the photographs.

        Args:
            classes: their names.
            seed: of the choice.
        """
        chosen = random.Random(seed).sample(self.shown, min(SHOWN, len(self.shown)))
        return {"classes": list(classes), "confusion": self.confusion, "shown": chosen}


def predict(trainer: Trainer, batches: Any, classes: int, seed: int) -> Predictions:
    """Predict each image of one worker.

    Args:
        trainer: has the network.
        batches: of images and labels.
        classes: how many.
        seed: of the choice of those to be shown.
    """
    import numpy as np
    import simplejpeg

    found = Predictions([[0] * classes for _ in range(classes)])
    chance, seen = random.Random(seed), 0
    for images, labels in batches:
        _, probabilities = trainer.evaluated(images, labels)
        for image, label, row in zip(images.numpy(), labels.numpy(), probabilities.numpy(), strict=True):
            taken = int(row.argmax())
            found.confusion[int(label)][taken] += 1
            seen += 1
            place = len(found.shown) if len(found.shown) < SHOWN else chance.randrange(seen)  # reservoir sampling
            if place < SHOWN:
                pixels = np.ascontiguousarray(np.clip(image.round(), 0, 255).astype(np.uint8))
                picture = simplejpeg.encode_jpeg(pixels, _QUALITY, "RGB", "444")
                shown = {"jpeg": base64.b64encode(picture).decode(), "class": int(label), "taken_for": taken}
                found.shown[place : place + 1] = [{**shown, "probability": round(float(row[taken]), 4)}]
    return found


def together(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of all workers."""
    confusion = [
        [sum(cells) for cells in zip(*rows, strict=True)]
        for rows in zip(*(part.confusion for part in parts), strict=True)
    ]
    return Predictions(confusion, [one for part in parts for one in part.shown])
