"""The image rule, compared with a simple reference and with TensorFlow, and on damaged files."""

import io
import math
import struct
import tracemalloc
import zlib
from fractions import Fraction

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from flowerexp.errors import DataError
from flowerexp.workload.images import decoded, synthetic, transform
from tests.command import PHOTOGRAPHS

side = st.integers(1, 700)
target_side = st.integers(1, 300)


def noise(height, width, seed=0):
    """A picture of smooth noise, so that its JPEG is close to it."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(2, height // 6), max(2, width // 6), 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def saved(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def psnr(first, other):
    error = np.mean((first.astype(np.float64) - other) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def slow_resize_and_crop(image, target_height, target_width):
    """The rule as one would explain it, pixel by pixel, in the float32 that TensorFlow computes in."""
    height, width = image.shape[:2]
    if target_height / height > target_width / width:
        new_height, new_width = target_height, int(width * target_height / height)
    else:
        new_height, new_width = int(height * target_width / width), target_width
    unit, half = np.float32(1), np.float32(0.5)
    result = np.zeros((target_height, target_width, 3), np.uint8)
    for row in range(target_height):
        y = (np.float32(row + (new_height - target_height) // 2) + half) * (
            np.float32(height) / np.float32(new_height)
        ) - half
        y0, y1, wy = max(math.floor(y), 0), min(math.ceil(y), height - 1), y - np.floor(y)
        for column in range(target_width):
            x = (np.float32(column + (new_width - target_width) // 2) + half) * (
                np.float32(width) / np.float32(new_width)
            ) - half
            x0, x1, wx = max(math.floor(x), 0), min(math.ceil(x), width - 1), x - np.floor(x)
            for channel in range(3):
                pixels = image[..., channel] * unit
                top = pixels[y0, x0] + (pixels[y0, x1] - pixels[y0, x0]) * wx
                bottom = pixels[y1, x0] + (pixels[y1, x1] - pixels[y1, x0]) * wx
                result[row, column, channel] = int(top + (bottom - top) * wy)
    return result


SHAPES = [
    ((13, 20), (8, 8)),
    ((20, 13), (8, 8)),
    ((9, 9), (9, 9)),
    ((12, 30), (10, 6)),
    ((30, 11), (5, 12)),
    ((5, 7), (16, 12)),  # enlarged
    ((3, 40), (6, 6)),
    ((1, 1), (4, 3)),
]


class TestGeometry:
    @given(side, side, target_side, target_side)
    def test_covers_the_target_and_no_more(self, height, width, target_height, target_width):
        resized = transform.fill_geometry(height, width, target_height, target_width)
        assert resized.height >= target_height
        assert resized.width >= target_width
        assert resized.height == target_height or resized.width == target_width

    @given(side, side, target_side, target_side)
    def test_keeps_the_aspect_within_a_pixel(self, height, width, target_height, target_width):
        resized = transform.fill_geometry(height, width, target_height, target_width)
        factor = max(Fraction(target_height, height), Fraction(target_width, width))
        assert 0 <= height * factor - resized.height < 1
        assert 0 <= width * factor - resized.width < 1

    @given(side, side, target_side, target_side)
    def test_crops_around_the_centre(self, height, width, target_height, target_width):
        resized = transform.fill_geometry(height, width, target_height, target_width)
        below = resized.height - target_height - resized.top
        right = resized.width - target_width - resized.left
        assert below - resized.top in (0, 1)
        assert right - resized.left in (0, 1)

    @given(side, side, target_side)
    def test_square_targets_as_in_the_notebook(self, height, width, target):
        """The notebook's own lines, with its names: it calls the height w."""
        w, h, tw, th = height, width, target, target
        if (w * th) / (h * tw) < 1:
            nw, nh = int(w * tw / w), int(h * tw / w)
        else:
            nw, nh = int(w * th / h), int(h * th / h)
        assert transform.fill_geometry(height, width, target, target) == (nw, nh, (nw - tw) // 2, (nh - th) // 2)

    def test_a_turned_photograph_has_turned_geometry(self):
        assert transform.fill_geometry(300, 400, 100, 200) == (150, 200, 25, 0)
        assert transform.fill_geometry(400, 300, 200, 100) == (200, 150, 0, 25)


class TestResizeAndCrop:
    @pytest.mark.parametrize(("shape", "target"), SHAPES)
    def test_exact_is_the_reference_bit_for_bit(self, shape, target):
        image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
        result = transform.resize_and_crop(image, *target, exact=True)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, slow_resize_and_crop(image, *target))

    @pytest.mark.parametrize(("shape", "target"), SHAPES)
    def test_fast_differs_by_one_grey_level_at_most(self, shape, target):
        image = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
        difference = transform.resize_and_crop(image, *target).astype(int) - slow_resize_and_crop(image, *target)
        assert abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.1

    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40), st.booleans())
    def test_one_colour_stays_that_colour(self, height, width, target_height, target_width, exact):
        image = np.full((height, width, 3), (7, 255, 130), np.uint8)
        result = transform.resize_and_crop(image, target_height, target_width, exact=exact)
        assert result.shape == (target_height, target_width, 3)
        assert (result == (7, 255, 130)).all()

    @pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1), (1500, 2200)])
    def test_long_and_large_pictures_take_the_exact_way(self, shape):
        image = np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)
        fast, exact = (transform.resize_and_crop(image, 64, 64, exact=exact) for exact in (False, True))
        np.testing.assert_array_equal(fast, exact)

    @pytest.mark.parametrize("shape", [(1, decoded.MAX_PIXELS), (decoded.MAX_PIXELS, 1)])
    def test_the_longest_strip_of_all_needs_no_memory_for_what_is_cut_off(self, shape):
        image = np.broadcast_to(np.uint8(7), (*shape, 3))
        tracemalloc.start()
        result = transform.resize_and_crop(image, 192, 192)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (result == 7).all()
        assert peak < 50e6

    def test_leaves_its_input_alone(self):
        image = noise(60, 80)
        before = image.copy()
        for exact in (False, True):
            transform.resize_and_crop(image, 30, 30, exact=exact)
        np.testing.assert_array_equal(image, before)


class TestDecode:
    def test_grey(self):
        grey = noise(40, 60)[..., 0]
        result = transform.decode(saved(Image.fromarray(grey), "JPEG", quality=100))
        assert result.shape == (40, 60, 3)
        assert psnr(result, grey[..., None]) > 35
        assert (result == result[..., :1]).all()

    @pytest.mark.parametrize("stored", [0, 2])
    @pytest.mark.slow
    def test_cmyk_and_ycck(self, stored):
        import tensorflow as tf

        data = bytearray(saved(Image.fromarray(noise(40, 60)).convert("CMYK"), "JPEG", quality=95))
        data[data.index(b"Adobe") + 11] = stored  # how the marker says that the four channels are stored
        expected = tf.image.decode_jpeg(bytes(data), channels=3).numpy()
        result = transform.decode(bytes(data))
        assert result.shape == (40, 60, 3)
        assert abs(result.astype(int) - expected).max() <= 1

    @pytest.mark.parametrize("file_format", ["PNG", "BMP", "WEBP", "TIFF"])
    def test_other_formats_under_the_name_of_a_jpeg(self, file_format):
        image = noise(40, 60)
        options = {"lossless": True} if file_format == "WEBP" else {}
        np.testing.assert_array_equal(transform.decode(saved(Image.fromarray(image), file_format, **options)), image)

    @pytest.mark.parametrize(
        ("file_format", "options"),
        [
            ("PNG", {}),
            ("PNG", {"transparency": 3}),
            ("PNG", {"transparency": bytes(range(256))}),
            ("GIF", {}),
            ("GIF", {"transparency": 3}),
        ],
    )
    @pytest.mark.filterwarnings("error")
    def test_palette(self, file_format, options):
        palette = Image.fromarray(noise(40, 60)).quantize(64)
        result = transform.decode(saved(palette, file_format, **options))
        np.testing.assert_array_equal(result, np.asarray(palette.convert("RGB")))

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "1", "L"])
    def test_other_kinds_of_pixels(self, mode):
        image = Image.fromarray(noise(40, 60)).convert(mode)
        np.testing.assert_array_equal(transform.decode(saved(image, "PNG")), np.asarray(image.convert("RGB")))

    def test_sixteen_bits_keep_the_upper_eight(self):
        deep = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 27
        result = transform.decode(saved(Image.fromarray(deep), "PNG"))
        np.testing.assert_array_equal(result, np.repeat((deep >> 8)[..., None], 3, axis=2))

    def test_progressive(self):
        image = noise(40, 60)
        data = saved(Image.fromarray(image), "JPEG", quality=95, progressive=True)
        assert psnr(transform.decode(data), image) > 30

    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"c" * 500}])
    @pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
    def test_truncated(self, options, keep):
        data = saved(Image.fromarray(noise(200, 300)), "JPEG", quality=95, **options)
        with pytest.raises(DataError, match="truncated"):
            transform.decode(data[: int(len(data) * keep)])

    def test_a_harmless_warning_does_not_hide_a_truncation(self):
        data = saved(Image.fromarray(noise(200, 300)), "JPEG", quality=95)
        scan = data.index(b"\xff\xda")
        strange = data[:scan] + b"junk" + data[scan:]
        with pytest.raises(ValueError, match="extraneous bytes"):
            simplejpeg.decode_jpeg(strange, "RGB", strict=True)
        assert psnr(transform.decode(strange), transform.decode(data)) > 35  # by way of Pillow, which has another DCT
        with pytest.raises(DataError, match="truncated JPEG"):
            transform.decode(strange[: len(strange) * 2 // 3])

    @pytest.mark.slow
    def test_damage_within_the_scan_gives_what_tensorflow_makes_of_it(self):
        import tensorflow as tf

        data = bytearray(saved(Image.fromarray(noise(200, 300)), "JPEG", quality=95))
        middle = len(data) // 2
        data[middle : middle + 60] = bytes(60)
        np.testing.assert_array_equal(transform.decode(bytes(data)), tf.image.decode_jpeg(bytes(data)).numpy())

    def test_unusual_chroma_subsampling(self):
        """Sampling factors of 3 x 1, which simplejpeg does not know."""
        data = bytearray(saved(Image.fromarray(noise(24, 72)), "JPEG", quality=95, subsampling=0))
        frame = data.index(b"\xff\xc0")
        assert data[frame + 11] == 0x11
        data[frame + 11] = 0x31
        assert transform.decode(bytes(data)).shape == (24, 72, 3)

    @pytest.mark.parametrize("tail", [b"\n", bytes(1000), b"\xff\xd8 a preview picture"])
    def test_what_follows_the_end_does_not_matter(self, tail):
        data = saved(Image.fromarray(noise(40, 60)), "JPEG")
        np.testing.assert_array_equal(transform.decode(data + tail), transform.decode(data))

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty file"),
            (b"This is a text file.\n" * 50, "not an image"),
            (b"<html><body>404 Not Found</body></html>", "not an image"),
            (bytes(5000), "not an image"),
            (b"\xff\xd8\xff", "truncated or damaged JPEG"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not an image"),
            (b"P1 2 2 1 0 1 0", "not an image"),
        ],
    )
    def test_no_picture(self, data, reason):
        with pytest.raises(DataError) as caught:
            transform.decode(data)
        assert str(caught.value) == reason

    def test_truncated_png(self):
        data = saved(Image.fromarray(noise(40, 60)), "PNG")
        with pytest.raises(DataError, match="truncated or damaged picture"):
            transform.decode(data[: len(data) // 2])

    def test_jpeg_that_claims_to_be_huge(self):
        data = bytearray(saved(Image.fromarray(noise(16, 16)), "JPEG"))
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
        with pytest.raises(DataError, match="65000x65000"):
            transform.decode(bytes(data))

    @pytest.mark.parametrize("width", [15_000, 200_000])
    def test_png_that_claims_to_be_huge(self, width):
        def chunk(name, body):
            return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

        header = struct.pack(">IIBBBBB", width, 15_000, 8, 2, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        with pytest.raises(DataError, match="more than"):
            transform.decode(data)

    def test_damage_of_any_kind_is_a_data_error_or_a_picture(self):
        random = np.random.default_rng(5)
        small = Image.fromarray(noise(24, 32))
        outcomes = set()
        for number in range(300):
            data = bytearray(saved(small, ("JPEG", "PNG", "GIF", "BMP", "WEBP")[number % 5]))
            for _ in range(5):
                data[random.integers(2, len(data))] = random.integers(256)
            try:
                result = transform.decode(bytes(data))
            except DataError:
                outcomes.add("refused")
            else:
                assert result.ndim == 3
                assert result.shape[2] == 3
                assert result.dtype == np.uint8
                outcomes.add("decoded")
        assert outcomes == {"refused", "decoded"}


class TestEncode:
    @pytest.mark.parametrize("quality", [1, 50, 75, 95, 99, 100])
    @pytest.mark.parametrize("kind", ["smooth", "noise", "black and white noise"])
    @pytest.mark.slow
    def test_same_bytes_as_tensorflow(self, quality, kind):
        import tensorflow as tf

        image = noise(200, 150)
        if kind != "smooth":
            image = np.random.default_rng(4).integers(0, 256, (200, 150, 3), np.uint8)
        if kind == "black and white noise":
            image = (image > 127).astype(np.uint8) * 255
        expected = tf.image.encode_jpeg(image, quality=quality, optimize_size=True, chroma_downsampling=False).numpy()
        assert transform.encode(image, quality) == expected

    @pytest.mark.parametrize("quality", [1, 49, 80, 95, 100])
    @pytest.mark.parametrize("size", [(1, 1), (7, 33), (192, 192), (900, 800)])
    def test_same_bytes_as_pillow(self, quality, size, monkeypatch):
        image = np.random.default_rng(4).integers(0, 256, (*size, 3), np.uint8)
        monkeypatch.setattr(ImageFile, "MAXBLOCK", 2 * image.size + 4096)  # of Pillow's buffer, which noise overflows
        expected = io.BytesIO()
        settings = {"quality": quality, "optimize": True, "subsampling": 0, "dpi": (300, 300)}
        Image.fromarray(image).save(expected, "JPEG", **settings)
        assert transform.encode(image, quality) == expected.getvalue()

    def test_part_of_an_array(self):
        image = np.random.default_rng(4).integers(0, 256, (40, 60, 3), np.uint8)
        assert transform.encode(image[3:20, 5:50], 95) == transform.encode(image[3:20, 5:50].copy(), 95)


def tensorflow_chain(data, target_size, quality):
    """The chain in TensorFlow's own functions: the notebook's, but for height and width, which it swaps."""
    import tensorflow as tf

    image = tf.image.decode_jpeg(data, channels=3)
    height, width = image.shape[0], image.shape[1]
    target_height, target_width = target_size
    if (height * target_width) / (width * target_height) < 1:
        size = [int(height * target_height / height), int(width * target_height / height)]
    else:
        size = [int(height * target_width / width), int(width * target_width / width)]
    image = tf.image.resize(image, size)
    top, left = (size[0] - target_height) // 2, (size[1] - target_width) // 2
    image = tf.cast(tf.image.crop_to_bounding_box(image, top, left, target_height, target_width), tf.uint8)
    return tf.image.encode_jpeg(image, quality=quality, optimize_size=True, chroma_downsampling=False).numpy()


TARGETS = [((192, 192), 95), ((128, 224), 95), ((331, 150), 80), ((64, 64), 100), ((512, 600), 95)]


def check_chains(photographs, target_size, quality):
    assert photographs
    for data in photographs:
        expected = tensorflow_chain(data, target_size, quality)
        assert transform.recompress(data, target_size, quality, exact=True) == expected
        fast = transform.recompress(data, target_size, quality, exact=False)
        assert psnr(transform.decode(fast), transform.decode(expected)) >= 45


class TestChain:
    @pytest.mark.parametrize(("target_size", "quality"), TARGETS)
    @pytest.mark.slow
    def test_synthetic_photographs(self, target_size, quality):
        check_chains([synthetic.photograph(index, 3)[1] for index in range(10)], target_size, quality)

    @pytest.mark.parametrize("shape", [(320, 500), (256, 320), (320, 320), (240, 400), (288, 384), (192, 320)])
    @pytest.mark.slow
    def test_scales_that_hit_whole_grey_levels(self, shape):
        """Thirds and fifths: where the last bit of a float decides what a grey level is cut to."""
        image = np.random.default_rng(8).integers(0, 256, (*shape, 3), np.uint8)
        image = cv2.add(noise(*shape), image // 8)
        check_chains([saved(Image.fromarray(image), "JPEG", quality=98, subsampling=0)], (192, 192), 95)

    @pytest.mark.parametrize("shape", [(1, 3000), (2500, 2), (40, 30)])
    @pytest.mark.slow
    def test_small_and_narrow_pictures(self, shape):
        check_chains([saved(Image.fromarray(noise(*shape)), "JPEG", quality=95, subsampling=2)], (192, 192), 95)

    @pytest.mark.flowers
    @pytest.mark.parametrize(("target_size", "quality"), TARGETS)
    @pytest.mark.slow
    def test_real_photographs(self, target_size, quality):
        files = sorted(PHOTOGRAPHS.glob("*/*.jpg"))
        if not files:
            pytest.skip("no flower photographs: set FLOWEREXP_PHOTOS to a folder with a folder for each class")
        check_chains([file.read_bytes() for file in files[:: max(1, len(files) // 20)]], target_size, quality)
