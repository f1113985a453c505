"""What is shipped with a job: a zip of the code that runs on the cluster, named by its content."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flowerexp.config.places import PACKAGE, entry_folder
from flowerexp.errors import ConfigError
from flowerexp.job.modules import modules_beside
from flowerexp.storage import write_bytes

_SHIPPED = ("__init__.py", "errors.py", "storage", "workload")


@dataclass(frozen=True)
class Bundle:
    """The code that runs on the cluster: `flowerexp.workload`, what it imports of flowerexp, and one script.

    The modules beside the script that it imports are shipped, too, and stand at the top of the zip: Spark puts that on
    the path of the driver and of all executors.
    """

    script: Path

    @cached_property
    def modules(self) -> list[Path]:
        """The Python files of the user's own modules that the script imports."""
        return modules_beside(self.script)

    @cached_property
    def content(self) -> bytes:
        """The zip; the same files give the same bytes, at any time and on any machine."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in _sources():
                _add(archive, f"flowerexp/{path.relative_to(PACKAGE).as_posix()}", path)
            for path in self.modules:
                _add(archive, path.relative_to(self.script.parent).as_posix(), path)
        return buffer.getvalue()

    @cached_property
    def code_hash(self) -> str:
        """A hash of all code that a job runs, the script included; 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for path in _sources():
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        digest.update(self.script.read_bytes())
        for path in self.modules:
            digest.update(path.relative_to(self.script.parent).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def write(self, folder: Path) -> Path:
        """Write the zip to a folder; returns its path."""
        path = folder / f"flowerexp-{self.code_hash}.zip"
        write_bytes(str(path), self.content)
        return path


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), path.read_bytes())


def _sources() -> Iterator[Path]:
    for name in _SHIPPED:
        path = PACKAGE / name
        yield from sorted([*path.rglob("*.py"), *path.rglob("*.yaml")]) if path.is_dir() else [path]


def find_script(script: str) -> Path:
    """The file of an entrypoint: an absolute path, one below the current folder, or one that flowerexp ships.

    Raises:
        ConfigError: there is no such file.
    """
    name = Path(script).expanduser()
    for path in (name.absolute(), entry_folder().parent / name, entry_folder() / name.name):
        if path.is_file():
            return path
    hint = "give its path, or put it beside its YAML file or into the folder that conf/ is in"
    raise ConfigError(f"there is no script {script}", where="entrypoint.script", hint=hint)
