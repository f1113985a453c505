"""`flowerexp verify [FOLDER ...]`: are the files of prepared data what was written?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flowerexp import storage
from flowerexp.errors import DataError, FlowerexpError
from flowerexp.workload.images.prepared import MANIFEST, damage, misfits, read_manifest

_AT_ONCE = 8


def main(arguments: Sequence[str]) -> int:
    """Verify; 1 if something is damaged."""
    parser = argparse.ArgumentParser(
        prog="flowerexp verify",
        description="Read prepared data whole, and say which TFRecord files are damaged. Nothing is changed: the next "
        "run that reads a damaged file writes it again.",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FOLDER or KEY=VALUE",
        help="folders of prepared data; without any, all that is in storage.prepared",
    )
    words = parser.parse_args(arguments).words
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    given = [word for word in words if word not in overrides]
    roots = [word if "://" in word else str(Path(word).expanduser().absolute()) for word in given]
    if not roots:
        from flowerexp.app import composed

        roots = [composed(overrides).storage.prepared]
    folders = [folder for root in roots for folder in _folders(root, is_named=bool(given))]
    if not folders:
        print(f"no prepared data in {', '.join(roots)}")
    are_whole = [_verify(folder) for folder in folders]
    return 0 if all(are_whole) else 1


def _folders(root: str, *, is_named: bool) -> Iterator[str]:
    """The folders of prepared data below one, or that one itself.

    Raises:
        DataError: it was named, and there is no such folder, or nothing prepared in it.
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


def _verify(folder: str) -> bool:
    """Verify one folder, and print what was found; false if something is damaged."""
    try:
        manifest = read_manifest(folder)
    except FlowerexpError as error:
        print(f"damaged  {folder}: {error.problem}; {error.hint}")
        return False
    if manifest is None:
        print(f"ignored  {folder}: it has no {MANIFEST}, so that no run reads it")
        return True
    wrong, files = misfits(folder, manifest), manifest["files"]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = list(threads.map(lambda file: wrong.get(file["file"]) or damage(folder, file), files))
    damaged = [(file["file"], why) for file, why in zip(files, found, strict=True) if why]
    images = f"{len(files)} files, {manifest['records']} images"
    if not damaged:
        by = "" if all("crc32c" in file for file in files) else ", by the checksums of their records"
        print(f"whole    {folder}: {images}{by}")
        return True
    print(f"damaged  {folder}: {len(damaged)} of {images}; a run that reads one of these writes it again")
    for name, why in damaged:
        print(f"         {name}: {why}")
    return False
