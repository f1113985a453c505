"""Refuse a data set that cannot be used: missing, empty, not laid out as CLASS/*.jpg, or with unknown classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flowerexp import storage
from flowerexp.errors import DataError, did_you_mean
from flowerexp.workload.images.left_out import DEEPER, LOOSE, LeftOut, shown
from flowerexp.workload.images.scan import Skipped, class_of
from flowerexp.workload.images.source import source_of

_LAYOUT = "expected CLASS/*.jpg below it, or other pictures"


@contextmanager
def refusing(root: str) -> Iterator[None]:
    """Explain why a folder cannot be listed inside.

    Raises:
        DataError: the folder is missing, is a file, or may not be read.
    """
    try:
        yield
    except NotADirectoryError as error:
        raise DataError(f"{root} is a file", where="dataset.path", hint="name the folder of CLASS/*.jpg") from error
    except FileNotFoundError as error:
        raise DataError(f"{root} does not exist", where="dataset.path", hint="check the path") from error
    except PermissionError as error:
        raise forbidden(root, "dataset.path", error) from error


def forbidden(root: str, where: str, error: PermissionError) -> DataError:
    """The error for a folder or bucket that may not be read.

    Args:
        root: its path or URI.
        where: the config key that names it.
        error: the operating system's, or the bucket's.
    """
    if storage.is_local(root):
        hint = "give yourself the permission, or choose another folder"
    else:
        hint = "ask for the role Storage Object Viewer on the bucket, or set dataset.anonymous=true if it is public"
    return DataError(f"{root} cannot be read: {error.strerror}", where=where, hint=hint)


def classes_of(
    root: str, config: dict[str, Any], counts: Mapping[str, int], skipped: Sequence[Skipped], left_out: LeftOut
) -> Sequence[str]:
    """The classes, in the order of their numbers.

    Args:
        root: the data set's folder.
        config: the run's config.
        counts: the number of photographs in each class folder.
        skipped: photographs in class folders that `dataset.classes` does not name.
        left_out: everything else in the folder.

    Raises:
        DataError: a run cannot use this data set.
    """
    dataset = config["dataset"]
    if left_out.unreadable and dataset["on_error"] == "fail":
        relative, problem = next(iter(left_out.unreadable.items()))
        raise DataError(
            f"{shown(storage.join(root, relative))} cannot be read: {problem}",
            where="dataset.path",
            hint="give yourself the permission, or set dataset.on_error=skip to leave it out",
        )
    if not any(counts.values()):
        raise _misplaced(root, left_out)
    source_of(config).check(sum(counts.values()), root)
    classes: Sequence[str] = dataset["classes"] or sorted(counts)
    if skipped and dataset["on_error"] == "fail":
        unknown = class_of(skipped[0].relative)
        raise DataError(
            f"{root} has a class folder '{shown(unknown)}' that is not among {', '.join(classes)}",
            where="dataset.classes",
            hint=f"{did_you_mean(unknown, classes) or 'add it'}, or set dataset.on_error=skip to leave it out",
        )
    return classes


def _misplaced(root: str, left_out: LeftOut) -> DataError:
    """The error for a folder without photographs in class folders."""
    elsewhere = left_out.counts.get(DEEPER, 0) + left_out.counts.get(LOOSE, 0)
    if not elsewhere:
        others = f" (there are {left_out})" if left_out.total else ""
        return DataError(f"no photographs in {root}{others}", where="dataset.path", hint=_LAYOUT)
    hint = f"{_LAYOUT}: put each class's photographs into a folder with its name"
    if DEEPER in left_out.counts:
        deeper = shown(storage.join(root, left_out.first[DEEPER].rsplit("/", 2)[0]))
        hint = f"{_LAYOUT}: name the folder that holds the class folders, such as dataset.path='{deeper}'"
    problem = f"{root} has {elsewhere} photographs but no class folders with photographs in them"
    return DataError(problem, where="dataset.path", hint=hint)


def check_sample(sampled: int, total: int, config: dict[str, Any]) -> None:
    """Refuse a sample without photographs.

    Raises:
        DataError: `sampled` is 0.
    """
    if not sampled:
        fraction = config["sampling"]["fraction"]
        raise DataError(
            f"sampling {fraction:g} of {total} photographs leaves none",
            where="sampling.fraction",
            hint="choose a larger fraction",
        )
