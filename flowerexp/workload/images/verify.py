"""Verify prepared data for `flowerexp verify`: whether its files are as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from flowerexp import storage
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.workload.images.prepared import MANIFEST, damage, format_of, misfits, read_manifest

_AT_ONCE = 8


def folders(root: str, *, is_named: bool) -> Iterator[str]:
    """The folders of prepared data: a folder itself if it has a manifest, else the folders in it.

    Args:
        root: the folder.
        is_named: whether the user named it, so that it has to exist.

    Raises:
        DataError: `root` is named but is not a folder, or has no prepared data in it.
    """
    try:
        below, files = storage.list_folder(root)
        here = any(entry.relative == MANIFEST for entry in files)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_named:
            return
        raise DataError(f"{root} is not a folder", where="command line", hint="check the path") from error
    if here:
        yield root
        return
    if is_named and not below:
        raise DataError(f"{root} is not prepared data: it has no {MANIFEST}", where="command line")
    yield from (storage.join(root, name) for name in below)


def verify(folder: str) -> tuple[bool, list[str]]:
    """Verify one folder.

    Returns:
        Whether the folder is undamaged, and lines that say so for the user.
    """
    try:
        manifest = read_manifest(folder)
    except FlowerexpError as error:
        return False, [f"damaged  {folder}: {error.problem}; {error.hint}"]
    if manifest is None:
        return True, [f"ignored  {folder}: it has no {MANIFEST}, so no run reads it"]
    wrong, files, form = misfits(folder, manifest), manifest["files"], format_of(manifest)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        problems = list(threads.map(lambda file: wrong.get(file["file"]) or damage(folder, file, form), files))
    damaged = [f"         {file['file']}: {why}" for file, why in zip(files, problems, strict=True) if why]
    images = f"{len(files)} files, {manifest['records']} images"
    if not damaged:
        by = "" if all("crc32c" in file for file in files) else ", by the checksums of their records"
        return True, [f"whole    {folder}: {images}{by}"]
    head = f"damaged  {folder}: {len(damaged)} of {images}; a run that reads one of these writes it again"
    return False, [head, *damaged]
