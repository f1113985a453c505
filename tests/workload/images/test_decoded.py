"""Decoding reports a picture's format, damage that libjpeg can repair, and the EXIF orientation."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from flowerexp.errors import DataError
from flowerexp.workload.images import decoded
from tests.workload.images.test_transform import noise, psnr, saved


def damaged(data, share=1 / 3):
    """A JPEG of whose scan all but the first part is zeros: what is left of it comes out grey."""
    start = data.rindex(b"\xff\xda") + 14
    keep = start + int((len(data) - start) * share)
    return data[:keep] + bytes(len(data) - 2 - keep) + data[-2:]


class TestWarning:
    @pytest.mark.parametrize("subsampling", [0, 2])
    @pytest.mark.parametrize("share", [0.05, 1 / 3, 0.9])
    def test_a_scan_with_zeros_in_it_can_be_decoded_with_a_warning(self, share, subsampling):
        whole = saved(Image.fromarray(noise(200, 300)), "JPEG", quality=90, subsampling=subsampling)
        seen = decoded.inspect(damaged(whole, share))
        assert seen.pixels.shape == (200, 300, 3)
        assert "Corrupt JPEG data" in (seen.warning or "")
        assert psnr(seen.pixels, decoded.decode(whole)) < 40

    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"quality": 100}])
    def test_a_whole_one_has_none(self, options):
        data = saved(Image.fromarray(noise(200, 300)), "JPEG", **options)
        for tail in (b"", b"\n", bytes(1000)):
            assert decoded.inspect(data + tail).warning is None


class TestKind:
    @pytest.mark.parametrize("kind", decoded.FORMATS)
    def test_is_what_the_content_says(self, kind):
        seen = decoded.inspect(saved(Image.fromarray(noise(8, 8)), kind))
        assert (seen.kind, seen.animated) == (kind, False)

    def test_a_jpeg_with_another_behind_it_is_a_jpeg(self):
        picture = Image.fromarray(noise(8, 8))
        data = saved(picture, "MPO", save_all=True, append_images=[picture])
        assert decoded.inspect(data).kind == "JPEG"

    def test_an_animated_gif_is_told(self):
        frames = [Image.fromarray(noise(8, 8, seed)) for seed in range(2)]
        seen = decoded.inspect(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
        assert (seen.kind, seen.animated) == ("GIF", True)


def turned(kind, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    return saved(Image.fromarray(noise(20, 30)), kind, exif=exif, **options)


class TestOrientation:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_a_picture_is_turned_as_pillow_turns_it(self, kind, orientation):
        data = turned(kind, orientation)
        with Image.open(io.BytesIO(data)) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert decoded.orientation_of(data) == (1 if kind == "TIFF" else orientation)  # a TIFF is turned already
        upright = decoded.upright(decoded.decode(data), decoded.orientation_of(data))
        assert upright.shape == expected.shape
        assert np.abs(upright.astype(int) - expected).mean() <= 3

    def test_is_found_behind_other_segments(self):
        data = turned("JPEG", 6)
        behind = data[:2] + b"\xff\xe2" + struct.pack(">H", 60_002) + bytes(60_000) + data[2:]
        assert decoded.orientation_of(behind) == 6

    @pytest.mark.parametrize("value", [0, 9, 4000])
    def test_one_that_there_is_not_is_none(self, value):
        assert decoded.orientation_of(turned("JPEG", value)) == 1

    def test_of_damaged_data_there_is_none(self):
        data = turned("JPEG", 6)
        random = np.random.default_rng(0)
        for _ in range(200):
            spoilt = bytearray(data)
            for place in random.integers(2, 120, 6):
                spoilt[place] = random.integers(256)
            assert decoded.orientation_of(bytes(spoilt)) in range(1, 9)
        for length in range(0, 60, 3):
            assert decoded.orientation_of(data[:length]) in range(1, 9)


def test_a_bomb_of_any_format_is_refused_before_it_is_unpacked():
    """A PNG of 30 kB that would be 2.7 GB."""
    rows = zlib.compress(bytes(1000), 9)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match=r"more than 178,956,970 pixels"):
        decoded.inspect(data)
