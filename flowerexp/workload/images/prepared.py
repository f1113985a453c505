"""Read and verify prepared data: a folder of shards of one format, its manifest, and whether files are undamaged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, BinaryIO

from flowerexp import storage
from flowerexp.errors import DataError
from flowerexp.workload import formats
from flowerexp.workload.formats import Format

MANIFEST = "manifest.json"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Prepared:
    """Prepared data: its folder, its manifest, and the names of the files that this run wrote."""

    folder: str
    manifest: dict[str, Any]
    written: frozenset[str] = frozenset()

    @property
    def files(self) -> list[str]:
        """The URIs of its files, the shards; only what the manifest lists is ever read."""
        return [storage.join(self.folder, file["file"]) for file in self.manifest["files"]]

    @property
    def format(self) -> Format:
        """The format of its files."""
        return format_of(self.manifest)

    @property
    def records(self) -> int:
        """How many images the files hold."""
        return int(self.manifest["records"])

    @property
    def reused(self) -> bool:
        """Whether earlier runs wrote all of it."""
        return not self.written


def format_of(manifest: dict[str, Any]) -> Format:
    """The format of the files that a manifest lists; those of earlier versions are TFRecord files."""
    return formats.of(manifest.get("preprocess", {}).get("format", "tfrecord"))


_KEYS = {
    "fingerprint": str,
    "records": int,
    "bytes": int,
    "classes": list,
    "class_records": dict,
    "skipped": list,
    "files": list,
}
_FILE_KEYS = {"file": str, "partition": int, "records": int, "bytes": int, "class_records": list, "host": str}


def read_manifest(folder: str) -> dict[str, Any] | None:
    """The manifest of a folder; None if it has none, so that it is not prepared data.

    Raises:
        DataError: it is damaged.
        OSError: it cannot be read.
    """
    uri = storage.join(folder, MANIFEST)
    try:
        content = storage.read_bytes(uri)
    except (FileNotFoundError, NotADirectoryError):  # writing there gives the better message
        return None
    hint = "the next run that wants this data prepares it again"
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise DataError(f"{uri} is damaged: it is not JSON ({error})", where="storage.prepared", hint=hint) from error
    if not _has(manifest, _KEYS) or not all(_has(file, _FILE_KEYS) for file in manifest["files"]):
        raise DataError(f"{uri} is damaged: it lacks keys that a manifest has", where="storage.prepared", hint=hint)
    return dict(manifest)


def _has(value: Any, keys: dict[str, type]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in keys.items())


def misfits(folder: str, manifest: dict[str, Any]) -> dict[str, str]:
    """What a listing shows to be wrong: a sentence for each file that is missing or has another size.

    Raises:
        OSError: the folder cannot be listed.
    """
    sizes = {entry.relative: entry.size for entry in storage.list_files(folder)}
    problems = {}
    for file in manifest["files"]:
        size = sizes.get(file["file"])
        if size is None:
            problems[file["file"]] = "it is missing"
        elif size != file["bytes"]:
            problems[file["file"]] = f"it has {size} bytes, but {file['bytes']} were written"
    return problems


def checksum(file: BinaryIO) -> tuple[int, str]:
    """The number of bytes of the rest of a file, and their CRC32C in 8 hexadecimal digits, as manifests have them."""
    import google_crc32c

    size = crc = 0
    while block := file.read(_BLOCK):
        size, crc = size + len(block), google_crc32c.extend(crc, block)
    return size, f"{crc:08x}"


def damage(folder: str, file: dict[str, Any], form: Format) -> str | None:
    """What reading all of a file shows to be wrong with it, in a sentence; None if it is as it was written.

    Args:
        folder: the folder of the data.
        file: its entry in the manifest. Without a checksum there, the checksums of its records are verified.
        form: the file's format.

    Raises:
        OSError: the file is there but cannot be read.
    """
    uri = storage.join(folder, file["file"])
    try:
        if "crc32c" in file:
            with storage.open_read(uri) as opened:
                if checksum(opened)[1] == file["crc32c"]:
                    return None
            if not form.checks:  # a library that finds damage by chance could as well end the process
                return "its checksum is not that of what was written"
        count = form.verify(uri, {})
    except FileNotFoundError:
        return "it is missing"
    except DataError as error:
        return error.problem.partition(": ")[2]
    if count != file["records"]:
        return f"it has {count} records, but {file['records']} were written"
    return "it is not what was written, although its records are whole" if "crc32c" in file else None
