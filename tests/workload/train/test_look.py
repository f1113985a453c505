"""Copies of a photograph are found, also those that were resized or recompressed; different ones are told apart."""

import io

import numpy as np
import pytest
from PIL import Image

from flowerexp.workload.images import synthetic
from flowerexp.workload.train import look
from flowerexp.workload.train.look import look_of, originals


def photograph(index):
    return synthetic.photograph(index, seed=3)[1]


def again(content, quality=95, scale=1.0):
    """The same picture in another file."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    file = io.BytesIO()
    image.resize((int(image.width * scale), int(image.height * scale))).save(file, "JPEG", quality=quality)
    return file.getvalue()


def plain(grey):
    file = io.BytesIO()
    Image.fromarray(np.full((60, 80, 3), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(("quality", "scale"), [(70, 1.0), (95, 0.5)])
def test_a_copy_is_one_and_another_photograph_is_not(quality, scale):
    looks = [look_of(photograph(index)) for index in range(8)]
    copies = [look_of(again(photograph(index), quality, scale)) for index in range(8)]
    assert originals([*looks, *copies]) == [*range(8), *range(8)]


def test_pictures_without_structure_are_copies_only_if_their_bytes_are_equal():
    assert originals([look_of(plain(10)), look_of(plain(200)), look_of(plain(10)), look_of(b"damaged")]) == [0, 1, 0, 3]


def test_copies_of_copies_belong_together():
    first = bytes(32)
    second = (2**20 - 1).to_bytes(32, "big")
    third = (2**40 - 1).to_bytes(32, "big")  # 40 bits from the first
    assert originals([third, bytes([255] * 32), second, first]) == [0, 1, 0, 0]
    assert originals([third, first]) == [0, 1]


def test_of_very_many_only_equal_ones_are_found(monkeypatch):
    monkeypatch.setattr(look, "MOST", 2)
    assert originals([bytes(32), (1).to_bytes(32, "big"), bytes(32)]) == [0, 1, 0]
