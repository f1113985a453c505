"""Decode photographs by a run's rules: leave out, refuse or keep the damaged ones, and note what is unusual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import google_crc32c

from flowerexp import storage
from flowerexp.errors import DataError, MachineError, from_os_error
from flowerexp.workload import report
from flowerexp.workload.images.inspection import Inspection, report_entries
from flowerexp.workload.images.photographs import Photograph, Photographs
from flowerexp.workload.images.scan import Skipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Examiner:
    """A run's rules for photographs that cannot be decoded, are damaged, large, or have an EXIF orientation."""

    on_error: str
    on_warning: str
    orientation: str
    target_size: tuple[int, int]
    scaled: bool = False

    @classmethod
    def of(cls, config: dict[str, Any]) -> Examiner:
        """The rules of a run."""
        dataset, preprocess = config["dataset"], config["preprocess"]
        height, width = preprocess["target_size"]
        rules = (dataset["on_error"], dataset["on_warning"], preprocess["orientation"])
        return cls(*rules, (height, width), preprocess["decode"] == "scaled")

    def decode(
        self, photograph: Photograph, content: bytes | OSError, inspection: Inspection
    ) -> NDArray[np.uint8] | None:
        """Decode a photograph.

        Args:
            photograph: the file.
            content: its content, or the error of reading it.
            inspection: records what is unusual.

        Returns:
            RGB, shape (height, width, 3), scaled if the rules say so; None if the photograph is left out or ends the
            run.

        Raises:
            MachineError: a bucket does not answer.
        """
        from flowerexp.workload.images import decoded, transform  # import OpenCV: 50 MB that a driver does not need

        try:
            if isinstance(content, OSError):
                _refuse_bucket_trouble(photograph.uri, content)
                raise content
            orientation = decoded.orientation_of(content)
            applied = orientation if self.orientation == "exif" else 1
            picture = decoded.inspect(content, decoded.stored_size(self.target_size, applied) if self.scaled else None)
        except (DataError, OSError) as error:
            self._leave_out(Skipped(photograph.relative, _reason(error)), "on_error", inspection)
            return None
        inspection.contents.append((len(content) & 0xFFFFFFFF) << 32 | google_crc32c.value(content))
        if picture.warning:
            warned = Skipped(photograph.relative, f"damaged, though it can be decoded: {picture.warning}")
            if self.on_warning != "keep":
                self._leave_out(warned, "on_warning", inspection)
                return None
            inspection.warned.append(warned)
        foreign = why_not_for_image_files(picture.kind, picture.animated)
        if foreign:
            inspection.foreign.append(Skipped(photograph.relative, foreign))
        if orientation != 1:
            inspection.turned = (inspection.turned[0] + 1, inspection.turned[1] or photograph.relative)
        height, width, _ = picture.pixels.shape
        if transform.is_narrow(height, width, *self.target_size):
            inspection.narrow = (inspection.narrow[0] + 1, inspection.narrow[1] or photograph.relative)
        return decoded.upright(picture.pixels, applied)

    def _leave_out(self, skipped: Skipped, key: str, inspection: Inspection) -> None:
        if getattr(self, key) == "fail":
            inspection.fatal.append((skipped, key))
        else:
            inspection.skipped.append(skipped)


def check(spark: Any, photographs: Photographs, config: dict[str, Any]) -> dict[str, Any]:
    """Decode every photograph once and report what is unusual.

    It is needed where no manifest says which photographs can be decoded: a reader cannot leave one out while it is
    measured.

    Returns:
        `Inspection.entries`.

    Raises:
        DataError: a photograph cannot be used, and the config does not allow to leave it out.
        MachineError: a bucket does not answer.
    """
    examiner, access = Examiner.of(config), storage.access(config["dataset"].get("anonymous"))

    def inspect(part: Photographs) -> Inspection:
        inspection = Inspection()
        try:
            for photograph, content in zip(part, storage.read_each(part.uris, **access), strict=True):
                examiner.decode(photograph, content, inspection)
        except MachineError as error:
            inspection.problem = str(error)
        return inspection

    with report.phase("check"):
        context = spark.sparkContext
        slices = min(len(photographs), context.defaultParallelism * 4)
        parts = [photographs[start::slices] for start in range(slices)]
        inspection = Inspection.of(context.parallelize(parts, slices).map(inspect).collect())
    inspection.raise_problem()
    entries = inspection.entries
    report_entries(entries, examiner.orientation)
    return entries


def why_not_for_image_files(kind: str, animated: bool) -> str | None:
    """Why TensorFlow cannot read a picture that `decoded.inspect` can; None if it can.

    Args:
        kind: the picture's format, by Pillow's name.
        animated: whether it has several frames.
    """
    if kind in ("JPEG", "PNG", "GIF") and not animated:
        return None
    what = "an animated GIF" if animated else f"a {kind} picture"
    return f"{what}, which image_files cannot read: tf.image.decode_jpeg takes JPEG, PNG and GIF without animation"


def _refuse_bucket_trouble(uri: str, error: OSError) -> None:
    """Raise the error of a bucket that does not answer: leaving the photograph out would change what is prepared.

    Raises:
        MachineError: the file is in a bucket, and the error is not that the file is missing.
    """
    if not storage.is_local(uri) and not isinstance(error, FileNotFoundError):
        raise from_os_error(error, "reading")


def _reason(error: DataError | OSError) -> str:
    if isinstance(error, DataError):
        return error.problem
    return f"cannot be read: {error.strerror or error}"
