"""`preprocess.decode=scaled`: which scale is taken, the pixels that it gives, and what stays as with `full`."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flowerexp.errors import DataError
from flowerexp.workload.images import decoded, examples, tfrecords, transform
from flowerexp.workload.images.examine import Examiner
from flowerexp.workload.images.inspection import Inspection
from flowerexp.workload.images.listing import list_photographs
from flowerexp.workload.images.photographs import Photograph
from flowerexp.workload.images.preparing import fingerprint_of, prepare
from flowerexp.workload.read_speed import pipeline, sources, unreadable
from flowerexp.workload.read_speed.readers import Source
from tests.workload.images.test_decoded import damaged
from tests.workload.images.test_transform import noise, psnr, saved

TARGET = (24, 32)
side = st.integers(1, 9000)
target_side = st.integers(1, 600)


def photograph(height, width, **options):
    return saved(Image.fromarray(smooth(height, width)), "JPEG", **{"quality": 95, **options})


def smooth(height, width):
    """A picture without detail that a small one could not show."""
    coarse = np.random.default_rng(height + width).integers(0, 256, (5, 6, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def unusual(data):
    """A JPEG with sampling factors of 3 x 1, which is left to Pillow."""
    changed = bytearray(data)
    frame = changed.index(b"\xff\xc0")
    changed[frame + 11] = 0x31
    return bytes(changed)


def with_junk(data):
    """A JPEG with stray bytes before its scan, which is left to Pillow, too."""
    scan = data.index(b"\xff\xda")
    return data[:scan] + b"junk" + data[scan:]


class TestScale:
    @pytest.mark.parametrize(
        ("size", "least", "scale"),
        [
            ((3024, 4032), (192, 192), 8),
            ((6144, 8192), (512, 512), 8),
            ((1536, 1536), (192, 192), 8),
            ((1535, 9000), (192, 192), 4),
            ((9000, 1535), (192, 192), 4),
            ((768, 768), (192, 192), 4),
            ((767, 768), (192, 192), 2),
            ((384, 384), (192, 192), 2),
            ((383, 384), (192, 192), 1),  # half of it would be 192 pixels only if rounded up
            ((384, 383), (192, 192), 1),
            ((192, 192), (192, 192), 1),
            ((100, 5000), (192, 192), 1),
            ((1, 1), (192, 192), 1),
            ((1024, 1792), (128, 224), 8),
            ((1792, 1024), (128, 224), 4),
        ],
    )
    def test_is_the_largest_that_is_not_below_the_target(self, size, least, scale):
        height, width = size
        assert decoded.scale_of(height, width, least) == scale

    @given(side, side, target_side, target_side)
    def test_never_goes_below_the_target(self, height, width, target_height, target_width):
        scale = decoded.scale_of(height, width, (target_height, target_width))
        assert scale == 1 or (height // scale >= target_height and width // scale >= target_width)

    @pytest.mark.parametrize("size", [(24, 32), (47, 64), (48, 64), (49, 65), (97, 129), (192, 255), (192, 256),
                                      (199, 263), (400, 300), (20, 900), (5, 5)])  # fmt: skip
    @pytest.mark.parametrize("kind", ["plain", "progressive", "halved chroma", "grey", "cmyk", "unusual", "junk"])
    def test_is_what_is_decoded(self, size, kind):
        options = {"progressive": kind == "progressive", "subsampling": 2 if kind == "halved chroma" else 0}
        picture = Image.fromarray(smooth(*size)).convert({"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB"))
        data = saved(picture, "JPEG", quality=95, **options)
        data = {"unusual": unusual, "junk": with_junk}.get(kind, bytes)(data)
        height, width = size
        scale = decoded.scale_of(height, width, TARGET)
        assert transform.decode(data, TARGET).shape == (-(-height // scale), -(-width // scale), 3)

    @pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP", "TIFF"])
    def test_is_for_jpegs_alone(self, kind):
        data = saved(Image.fromarray(smooth(400, 500)), kind)
        np.testing.assert_array_equal(transform.decode(data, TARGET), transform.decode(data))

    @pytest.mark.parametrize("size", [(1, 1), (3, 7), (23, 500), (47, 63)])
    def test_a_small_picture_is_as_with_full(self, size):
        data = photograph(*size)
        np.testing.assert_array_equal(transform.decode(data, TARGET), transform.decode(data))


class TestPixels:
    @pytest.mark.parametrize("subsampling", [0, 1, 2])
    @pytest.mark.parametrize(("size", "scale"), [((50, 70), 2), ((101, 129), 4), ((203, 261), 8), ((192, 256), 8)])
    @pytest.mark.slow
    def test_are_those_of_tensorflow_at_that_ratio(self, size, scale, subsampling):
        import tensorflow as tf

        data = saved(Image.fromarray(noise(*size)), "JPEG", quality=90, subsampling=subsampling)
        expected = tf.image.decode_jpeg(data, channels=3, ratio=scale).numpy()
        np.testing.assert_array_equal(transform.decode(data, TARGET), expected)

    @pytest.mark.parametrize("exact", [False, True])
    @pytest.mark.parametrize(
        ("size", "least"),
        [((384, 384), 42), ((400, 512), 42), ((768, 1024), 42), ((1536, 2048), 42),
         ((385, 513), 40), ((389, 507), 40), ((769, 1021), 40), ((1537, 1545), 40), ((1543, 1601), 40)],
    )  # fmt: skip
    def test_of_a_smooth_picture_are_nearly_those_of_full(self, size, least, exact):
        """Nearer if the scale divides the sides: the last pixel of another one stands for less than the others do."""
        data, target = photograph(*size), (192, 192)
        full, scaled = (
            transform.resize_and_crop(transform.decode(data, wanted), *target, exact=exact) for wanted in (None, target)
        )
        assert psnr(scaled, full) > least

    def test_are_better_filtered_where_there_is_much_detail(self):
        """The mean of all pixels below each one of the result is what a good filter comes near to."""
        picture = np.random.default_rng(0).integers(0, 256, (24 * 8, 32 * 8, 3), np.uint8)
        mean = cv2.resize(picture, TARGET[::-1], interpolation=cv2.INTER_AREA)
        data = saved(Image.fromarray(picture), "JPEG", quality=95, subsampling=0)
        full, scaled = (
            psnr(transform.resize_and_crop(transform.decode(data, least), *TARGET), mean) for least in (None, TARGET)
        )
        assert full < 20
        assert scaled > 40

    def test_recompressing_scales_if_it_shall(self):
        data = photograph(300, 400)
        whole, scaled = (transform.recompress(data, TARGET, 95, scaled=scaled) for scaled in (False, True))
        assert whole == transform.recompress(data, TARGET, 95)
        assert scaled == transform.encode(transform.resize_and_crop(transform.decode(data, TARGET), *TARGET), 95)
        assert scaled != whole


class TestDamage:
    WHOLE = photograph(300, 400)

    @pytest.mark.parametrize(
        "data",
        [WHOLE[: len(WHOLE) // 2], WHOLE[:-2], WHOLE[:300], with_junk(WHOLE)[: len(WHOLE) // 2], b"", b"\xff\xd8\xff",
         b"a text", photograph(300, 400, progressive=True)[:5000], unusual(WHOLE)[: len(WHOLE) // 2]],
    )  # fmt: skip
    def test_is_refused_with_the_same_words(self, data):
        said = []
        for least in (None, TARGET):
            with pytest.raises(DataError) as caught:
                transform.decode(data, least)
            said.append(str(caught.value))
        assert said[0] == said[1]
        assert "\n" not in said[0]

    @pytest.mark.parametrize("share", [0.05, 1 / 3, 0.9])
    def test_that_can_be_decoded_gives_the_same_warning(self, share):
        data = damaged(self.WHOLE, share)
        full, scaled = (decoded.inspect(data, least) for least in (None, TARGET))
        assert full.warning == scaled.warning
        assert "Corrupt JPEG data" in (scaled.warning or "")
        assert scaled.pixels.shape == (38, 50, 3)


def turned(size, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    return photograph(*size, exif=exif)


class TestOrientation:
    @pytest.mark.parametrize("rule", ["stored", "exif"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_applied_as_with_full_and_nothing_is_below_the_target(self, rule, orientation):
        """96 x 400 pixels can be decoded at a quarter of their size, but only at half of it if they are turned."""
        data = turned((96, 400), orientation)
        pixels = []
        for scaled in (False, True):
            examiner = Examiner("fail", "fail", rule, TARGET, scaled)
            inspection = Inspection()
            found = examiner.decode(Photograph("/a.jpg", "a.jpg", 0, 1, ""), data, inspection)
            assert found is not None
            pixels.append(found)
            assert inspection.turned == ((1, "a.jpg") if orientation > 1 else (0, ""))
        exchanged = rule == "exif" and orientation >= 5
        assert pixels[0].shape == ((400, 96, 3) if exchanged else (96, 400, 3))
        assert pixels[1].shape == ((200, 48, 3) if exchanged else (24, 100, 3))
        first, second = (transform.resize_and_crop(one, *TARGET) for one in pixels)
        assert psnr(first, second) > 32


class TestReaders:
    SIZES = ((300, 400), (400, 300), (97, 131), (49, 66), (47, 70), (20, 20))

    @pytest.fixture
    def files(self, tmp_path):
        made = {}
        for number, size in enumerate(self.SIZES):
            path = tmp_path / "a" / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(photograph(*size))
            made[str(path)] = path.read_bytes()
        path = tmp_path / "a" / "png.jpg"
        path.write_bytes(saved(Image.fromarray(smooth(300, 400)), "PNG"))
        return {**made, str(path): path.read_bytes()}

    @pytest.mark.parametrize("reader", ["image_files", "image_files_native", "image_files_cached"])
    @pytest.mark.parametrize("scaled", [False, True])
    @pytest.mark.slow
    def test_decode_photographs_so(self, files, reader, scaled):
        source = Source(reader, [*files], [1] * len(files), TARGET, scaled=scaled)
        ((found, _),) = pipeline.dataset(source, [*files]).batch(len(files)).take(1)
        for image, content in zip(np.asarray(found), files.values(), strict=True):
            pixels = transform.decode(content, TARGET if scaled else None)
            expected = transform.resize_and_crop(pixels, *TARGET, exact=True)
            allowed = 0 if reader == "image_files" else 1  # the native readers round
            assert np.abs(image.astype(np.uint8).astype(int) - expected).max() <= allowed

    @pytest.mark.parametrize("reader", [pytest.param("image_files", marks=pytest.mark.slow), "image_files_native"])
    @pytest.mark.parametrize("content", [b"", b"a text", photograph(300, 400)[:5000]])
    def test_name_a_bad_file_with_the_same_words(self, tmp_path, reader, content):
        """One that was damaged after it was checked."""
        (tmp_path / "1.jpg").write_bytes(content)
        files, said = [f"{tmp_path}/1.jpg"], []
        for scaled in (False, True):
            source = Source(reader, files, [1], TARGET, scaled=scaled)
            with pytest.raises(DataError, match=r"1\.jpg") as caught, unreadable.named(source, files):
                list(pipeline.dataset(source, files).batch(1).take(1))
            said.append(re.sub(r"MapDataset:\d+", "", str(caught.value)))  # TensorFlow counts its data sets
        assert said[0] == said[1]
        assert "\n" not in said[0]

    def test_turn_what_they_scaled(self, tmp_path):
        (tmp_path / "1.jpg").write_bytes(turned((96, 400), 6))
        files, pictures = [f"{tmp_path}/1.jpg"], []
        for scaled in (False, True):
            source = Source("image_files_native", files, [1], TARGET, orientation="exif", scaled=scaled)
            ((found, _),) = pipeline.dataset(source, files).batch(1).take(1)
            pictures.append(found[0])
        assert not np.array_equal(*pictures)
        assert psnr(*pictures) > 32


class TestPreparedData:
    #: What a version without `preprocess.decode` named the data of its defaults.
    KNOWN = "c46d8e352d964c43"

    def test_of_full_has_the_name_that_it_always_had(self, config):
        listing: Any = SimpleNamespace(fingerprint="0123456789abcdef", photographs=())
        assert fingerprint_of(config(), listing) == self.KNOWN
        assert fingerprint_of(config("preprocess.decode=full"), listing) == self.KNOWN
        assert fingerprint_of(config("preprocess.decode=scaled"), listing) != self.KNOWN

    @pytest.mark.spark
    def test_of_scaled_is_data_of_its_own(self, spark, config, tmp_path):
        (tmp_path / "p" / "a").mkdir(parents=True)
        contents = {300: photograph(300, 400), 60: photograph(60, 70), 20: photograph(20, 30)}
        for number, content in contents.items():
            (tmp_path / "p" / "a" / f"{number}.jpg").write_bytes(content)
        made = {}
        for decode in ("full", "scaled"):
            run = config("dataset=folder", f"dataset.path={tmp_path}/p", f"preprocess.decode={decode}",
                         "preprocess.target_size=[24,32]", "preprocess.shards=1", "grid.batch_size=[1]",
                         "grid.batch_number=[1]", "grid.reader=[tfrecords_native,image_files_native]")  # fmt: skip
            data = prepare(spark, run, list_photographs(spark, run))
            made[data.folder] = data.manifest["preprocess"]["decode"]
            with Path(data.files[0]).open("rb") as file:
                images = {
                    examples.decode_example(record, "image", "class")[0] for record in tfrecords.read_records(file, "")
                }
            scaled = decode == "scaled"
            assert images == {transform.recompress(one, TARGET, 95, scaled=scaled) for one in contents.values()}
            assert prepare(spark, run, list_photographs(spark, run)).reused
            found = sources.sources_of(spark, run).of
            assert [found[name].scaled for name in ("image_files_native", "tfrecords_native")] == [scaled, False]
        assert [*made.values()] == ["full", "scaled"]
