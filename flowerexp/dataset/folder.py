"""The kind `folder`: photographs in folders of their classes, here or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from flowerexp.config import names
from flowerexp.config.fields import text
from flowerexp.config.schema import Dataset
from flowerexp.dataset.kind import DatasetKind


@dataclass(frozen=True, kw_only=True)
class Folder(Dataset):
    """CLASS/*.jpg under `path`, here or in a bucket (`gs://`)."""

    path: str = text(names.PATH)
    anonymous: bool = False


class FolderKind(DatasetKind):
    """Photographs in folders."""

    config = Folder
