"""Draw a contact sheet: nine of the images that were written, with their labels, as one small picture."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from flowerexp.workload.formats import Format
from flowerexp.workload.images.left_out import shown

ROWS = COLUMNS = 3
EDGE = 192
"""The longer side of an image on the sheet, in pixels, at most."""
GAP, CAPTION = 8, 22
QUALITY = 88


def contact_sheet(files: Sequence[str], classes: Sequence[str], form: Format) -> bytes:
    """Draw a contact sheet of the first images of shards, from as many different ones as possible.

    Args:
        files: the URIs of the shards.
        classes: the names of the classes; a label is an index into it.
        form: the format of the shards.

    Returns:
        A JPEG file.

    Raises:
        DataError: a file is damaged.
        OSError: a file cannot be read.
    """
    from PIL import Image, ImageDraw, ImageFont

    chosen = []
    for content, number in islice(_first(files, form), ROWS * COLUMNS):
        with Image.open(io.BytesIO(content)) as opened:
            opened.thumbnail((EDGE, EDGE))
            chosen.append((opened.convert("RGB"), classes[number] if 0 <= number < len(classes) else str(number)))
    width, height = (max((image.size[side] for image, _ in chosen), default=EDGE) for side in (0, 1))
    lines = -(-len(chosen) // COLUMNS)
    size = (GAP + COLUMNS * (width + GAP), GAP + lines * (height + CAPTION + GAP))
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for place, (image, label) in enumerate(chosen):
        left, top = GAP + place % COLUMNS * (width + GAP), GAP + place // COLUMNS * (height + CAPTION + GAP)
        sheet.paste(image, (left, top))
        draw.text((left, top + height + 2), shown(label), fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _first(files: Sequence[str], form: Format) -> Iterator[tuple[bytes, int]]:
    """The images of the files and their labels: the first of each file, then the second of each, and so on."""
    wanted = ROWS * COLUMNS
    each = -(-wanted // max(1, min(len(files), wanted)))
    heads: list[list[Any]] = []
    for uri in files[:wanted]:
        with form.open(uri, {}) as shard:
            heads.append([(bytes(image), label) for image, label in islice(shard, each)])
    for turn in range(each):
        yield from (head[turn] for head in heads if turn < len(head))
