"""Decode photographs by a run's rules, and keep account of what was found: bad ones, odd ones, and the same twice."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import google_crc32c

from flowerexp import storage
from flowerexp.errors import DataError, MachineError, from_os_error
from flowerexp.workload import report
from flowerexp.workload.images.found import Skipped
from flowerexp.workload.images.left_out import shown
from flowerexp.workload.images.photographs import Photograph, Photographs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIST = "photographs.json"
"""The file in a run's results that lists what was found, where no manifest does."""


@dataclass
class Account:
    """What was found in some photographs.

    Attributes:
        skipped: those that are left out.
        fatal: those that end the run, with the key of the config that says so.
        warned: those that are damaged, but are kept.
        foreign: those that `image_files` cannot read, though all other readers can.
        turned: how many have an EXIF orientation other than 1, and the name of one.
        narrow: how many are so long and narrow that `image_files` has to cut them first, and the name of one.
        contents: a number for each content; the same for the same.
        problem: of the machine, which ends the run.
    """

    skipped: list[Skipped] = field(default_factory=list)
    fatal: list[tuple[Skipped, str]] = field(default_factory=list)
    warned: list[Skipped] = field(default_factory=list)
    foreign: list[Skipped] = field(default_factory=list)
    turned: tuple[int, str] = (0, "")
    narrow: tuple[int, str] = (0, "")
    contents: array[int] = field(default_factory=lambda: array("Q"))
    problem: str | None = None

    @classmethod
    def of(cls, accounts: Sequence[Account]) -> Account:
        """One account of several."""
        whole = cls()
        for account in accounts:
            for name in ("skipped", "fatal", "warned", "foreign", "contents"):
                getattr(whole, name).extend(getattr(account, name))
            for name in ("turned", "narrow"):
                (count, first), (more, other) = getattr(whole, name), getattr(account, name)
                setattr(whole, name, (count + more, min(filter(None, (first, other)), default="")))
            whole.problem = whole.problem or account.problem
        for listed in (whole.skipped, whole.warned, whole.foreign):
            listed.sort(key=lambda one: one.relative)
        return whole

    def raise_problem(self) -> None:
        """Raise what ends the run, if anything does.

        Raises:
            MachineError: the machine, or the bucket, has a problem.
            DataError: a photograph cannot be used, and the config says that this is not to be.
        """
        if self.problem:
            raise MachineError(self.problem)
        if not self.fatal:
            return
        (first, key), *others = sorted(self.fatal, key=lambda item: item[0].relative)
        more = f" (and {len(others)} more files so far)" if others else ""
        kept = " (keep: to take what can be decoded)" if key == "on_warning" else ""
        raise DataError(
            f"{shown(first.relative)}: {first.reason}{more}",
            where="dataset",
            hint=f"mend or remove it, or set dataset.{key}=skip to leave such files out{kept}",
        )

    @property
    def rows(self) -> dict[str, Any]:
        """What a manifest, or a file of results, holds of it."""
        import numpy as np

        return {
            "skipped": [asdict(one) for one in self.skipped],
            "warnings": [asdict(one) for one in self.warned],
            "not_for_image_files": [asdict(one) for one in self.foreign],
            "turned": {"count": self.turned[0], "first": self.turned[1]},
            "narrow": {"count": self.narrow[0], "first": self.narrow[1]},
            "duplicates": len(self.contents) - len(np.unique(np.frombuffer(self.contents, np.uint64))),
        }


def tell(rows: dict[str, Any], orientation: str, where: str | None = None) -> None:
    """Report what was found.

    Args:
        rows: an account's, or a manifest.
        orientation: `preprocess.orientation`.
        where: the manifest that lists all; without one, a file of results does.
    """
    skipped, warned, turned = rows["skipped"], rows["warnings"], rows["turned"]
    report.fact("images_skipped", len(skipped))
    report.fact("images_with_warnings", len(warned))
    report.fact("images_turned", turned["count"])
    report.fact("images_duplicate", rows["duplicates"])
    if (skipped or warned) and not where:
        report.attach(LIST, json.dumps(rows, indent=1).encode())
    listed = f"listed in {where or LIST}"
    if skipped:
        report.note(f"{len(skipped)} files skipped, {listed}; the first is {first_of(skipped)}")
    if warned:
        leave = "dataset.on_warning=skip leaves such files out"
        report.note(
            f"{len(warned)} photographs are damaged, but kept ({leave}), {listed}; the first is {first_of(warned)}"
        )
    if turned["count"]:
        done = "is applied" if orientation == "exif" else "is not applied (preprocess.orientation=exif does)"
        report.note(
            f"{turned['count']} photographs have an EXIF orientation, which {done}, such as {shown(turned['first'])}"
        )
    if rows["duplicates"]:
        report.note(f"{rows['duplicates']} photographs have the same content as another one, and are kept")


def first_of(rows: Sequence[dict[str, Any]]) -> str:
    """The first file of a list in an account, with what is wrong with it."""
    return f"{shown(rows[0]['relative'])}: {rows[0]['reason']}"


@dataclass(frozen=True)
class Examiner:
    """A run's rules: what to do with photographs that cannot be decoded, or are damaged, and which way up they are."""

    on_error: str
    on_warning: str
    orientation: str
    target_size: tuple[int, int]

    @classmethod
    def of(cls, config: dict[str, Any]) -> Examiner:
        """The rules of a run."""
        dataset, preprocess = config["dataset"], config["preprocess"]
        height, width = preprocess["target_size"]
        return cls(dataset["on_error"], dataset["on_warning"], preprocess["orientation"], (height, width))

    def look(self, photograph: Photograph, content: bytes | OSError, account: Account) -> NDArray[np.uint8] | None:
        """Decode a photograph; None of one that is left out, or ends the run.

        Args:
            photograph: which one.
            content: the file's; or the error that reading it gave.
            account: is told what is found.

        Raises:
            MachineError: a bucket does not answer.
        """
        from flowerexp.workload.images import (  # OpenCV comes with it: 50 MB that a driver need not pay
            decoded,
            transform,
        )

        try:
            if isinstance(content, OSError):
                _refuse_bucket_trouble(photograph.uri, content)
                raise content
            picture = decoded.look(content)
        except (DataError, OSError) as error:
            self._leave_out(Skipped(photograph.relative, _reason(error)), "on_error", account)
            return None
        account.contents.append((len(content) & 0xFFFFFFFF) << 32 | google_crc32c.value(content))
        if picture.warning:
            warned = Skipped(photograph.relative, f"damaged, though it can be decoded: {picture.warning}")
            if self.on_warning != "keep":
                self._leave_out(warned, "on_warning", account)
                return None
            account.warned.append(warned)
        foreign = why_not_for_image_files(picture.kind, picture.animated)
        if foreign:
            account.foreign.append(Skipped(photograph.relative, foreign))
        orientation = decoded.orientation_of(content)
        if orientation != 1:
            account.turned = (account.turned[0] + 1, account.turned[1] or photograph.relative)
        height, width, _ = picture.pixels.shape
        if transform.is_narrow(height, width, *self.target_size):
            account.narrow = (account.narrow[0] + 1, account.narrow[1] or photograph.relative)
        return decoded.upright(picture.pixels, orientation) if self.orientation == "exif" else picture.pixels

    def _leave_out(self, one: Skipped, key: str, account: Account) -> None:
        if getattr(self, key) == "fail":
            account.fatal.append((one, key))
        else:
            account.skipped.append(one)


def check(spark: Any, photographs: Photographs, config: dict[str, Any]) -> dict[str, Any]:
    """Decode every photograph once where nothing prepared says which can be: a reader cannot leave one out midway.

    Returns:
        An account's rows; what was found is reported.

    Raises:
        DataError: one cannot be used, and the config says that this is not to be.
        MachineError: a bucket does not answer.
    """
    examiner, how = Examiner.of(config), storage.access(config["dataset"].get("anonymous"))

    def examined(hand: Photographs) -> Account:
        account = Account()
        try:
            for photograph, content in zip(hand, storage.read_each(hand.uris, **how), strict=True):
                examiner.look(photograph, content, account)
        except MachineError as error:
            account.problem = str(error)
        return account

    with report.phase("check"):
        context = spark.sparkContext
        slices = min(len(photographs), context.defaultParallelism * 4)
        hands = [photographs[start::slices] for start in range(slices)]
        account = Account.of(context.parallelize(hands, slices).map(examined).collect())
    account.raise_problem()
    rows = account.rows
    tell(rows, examiner.orientation)
    return rows


def why_not_for_image_files(kind: str, animated: bool) -> str | None:
    """Why TensorFlow cannot read a picture that `decoded.look` decodes; None if it can.

    Args:
        kind: the picture's format, as Pillow calls it.
        animated: whether it has several frames.
    """
    if kind in ("JPEG", "PNG", "GIF") and not animated:
        return None
    what = "an animated GIF" if animated else f"a {kind} picture"
    return f"{what}, which image_files cannot read: tf.image.decode_jpeg takes JPEG, PNG and GIF without animation"


def _refuse_bucket_trouble(uri: str, error: OSError) -> None:
    """A bucket that does not answer is not a photograph's fault: leaving that one out would change what is prepared.

    Raises:
        MachineError: the file is in a bucket, and is not just gone.
    """
    if not storage.is_local(uri) and not isinstance(error, FileNotFoundError):
        raise from_os_error(error, "reading")


def _reason(error: DataError | OSError) -> str:
    if isinstance(error, DataError):
        return error.problem
    return f"cannot be read: {error.strerror or error}"
