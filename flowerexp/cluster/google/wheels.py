"""The packages that jobs import: pinned as they are on this machine, fetched as wheels for the cluster, and staged.

A cluster with internal addresses only cannot reach a package index. So the wheels are downloaded here, once, for the
Python of the cluster's image, and lie in the bucket under a hash of what they are: for a cluster, as files that an
initialization action installs; for serverless batches, as one archive of the installed packages.

What the bucket holds is not trusted: this machine remembers the hashes of what it staged, and stages it anew where the
bucket holds something else. Nodes install only wheels of those hashes, which their metadata names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from flowerexp import storage
from flowerexp.cluster import java
from flowerexp.cluster.google.refusals import scrubbed
from flowerexp.cluster.google.staging import Bucket, md5_of
from flowerexp.errors import MachineError

METADATA = "flowerexp-wheels"
"""The key of a node's metadata that says where its wheels are."""
METADATA_SHA256 = "flowerexp-wheels-sha256"
"""The key of a node's metadata that holds the hash of the list of its wheels, which holds theirs."""
WHEELHOUSE = "FLOWEREXP_WHEELHOUSE"
"""The variable that names a folder of wheels to take instead of a package index."""
ARCHIVE = "packages.tar.gz"
_LIST = "requirements.txt"
_TOOLS = ("pip", "setuptools", "wheel")  # each image has its own, that fit its Python
_ACTION = Path(__file__).with_name("install.sh")
# Images 2.2 and later are Debian 12, Ubuntu 22 or Rocky 9, with glibc 2.34 or later; wheels for older ones run there.
_PLATFORMS = ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64"]
_PLATFORMS += [f"manylinux_2_{minor}_x86_64" for minor in range(5, 35)]


@dataclass(frozen=True)
class Packages:
    """Staged packages: their folder's URI, the hash of the list of wheels, if they are wheels, and what there is."""

    folder: str
    sha256: str = ""

    @property
    def action(self) -> str:
        """The initialization action."""
        return f"{self.folder}/install.sh"

    @property
    def archive(self) -> str:
        """The archive of the installed packages."""
        return f"{self.folder}/{ARCHIVE}"


def pinned(requires: Mapping[str, str], python: str) -> list[str]:
    """The requirements, and all that they require in turn, in the versions that this machine has.

    What is not installed here stays as it was written; pip then finds out what it requires.

    Args:
        requires: modules, each with its requirement.
        python: the version of the Python that they are for, such as 3.11.

    Raises:
        MachineError: a requirement cannot be read.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    try:
        waiting = [(Requirement(pin), True) for pin in requires.values()]
    except InvalidRequirement as error:
        hint = "write entrypoint.requires as MODULE: NAME==VERSION"
        raise MachineError(f"a requirement cannot be read: {error}", where="entrypoint.requires", hint=hint) from error
    while waiting:
        one, asked = waiting.pop()
        name = canonicalize_name(one.name)
        if (name in found and not asked) or not _applies(one, python):
            continue
        try:
            version, inner = metadata.version(name), metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            found[name] = str(one)
            continue
        new = name not in found
        found[name] = str(one) if asked else f"{name}=={version}"
        if new:
            waiting += [(Requirement(each), False) for each in inner if "extra ==" not in each]
    return sorted(found.values())


def _applies(requirement: object, python: str) -> bool:
    marker = getattr(requirement, "marker", None)
    return marker is None or bool(marker.evaluate(_target(python)))


def _target(python: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }


def stage(bucket: Bucket, requires: Mapping[str, str], python: str, *, archive: bool = False) -> Packages | None:
    """Stage the packages in the bucket; nothing is downloaded if they are there already.

    Args:
        bucket: where.
        requires: modules, each with its requirement; None is returned where there are none.
        python: the version of the cluster's Python.
        archive: as one archive rather than as wheels and an initialization action.

    Raises:
        ClusterError: the bucket refuses.
        MachineError: they cannot be downloaded; nothing was staged.
    """
    if not requires:
        return None
    pins = pinned(requires, python)
    return _stage_archive(bucket, pins, python) if archive else _stage_wheels(bucket, pins, python)


def _stage_wheels(bucket: Bucket, pins: list[str], python: str) -> Packages:
    """Wheels, the list of them, and the initialization action that installs them."""
    note = _Note("wheels", python, *pins)
    listed = note.read()
    folder = bucket.uri("wheels", _sha256(listed)[:16]) if listed else ""
    if not listed or not bucket.holds(f"{folder}/{_LIST}", md5_of(listed)):
        with _downloaded(pins, python) as wheels:
            listed = _listed(wheels)
            folder = bucket.uri("wheels", _sha256(listed)[:16])
            for wheel in sorted(wheels.glob("*.whl")):
                bucket.put_once(f"{folder}/{wheel.name}", wheel)
            bucket.put(f"{folder}/{_LIST}", listed)  # last: it says that the others are there
        note.write(listed)
    packages = Packages(folder, _sha256(listed))
    bucket.put(packages.action, _ACTION)  # each time: Dataproc runs it without checking it
    return packages


def _stage_archive(bucket: Bucket, pins: list[str], python: str) -> Packages:
    """One archive of what the wheels install."""
    note = _Note("archive", python, *pins)
    folder, _, md5 = (note.read() or b"").decode().partition(" ")
    packages = Packages(bucket.uri("wheels", folder))
    if not md5 or not bucket.holds(packages.archive, md5):
        with _downloaded(pins, python) as wheels:
            content = _archived(wheels, python).read_bytes()
        folder = _sha256(content)[:16]
        packages = Packages(bucket.uri("wheels", folder))
        bucket.put(packages.archive, content)
        note.write(f"{folder} {md5_of(content)}".encode())
    return packages


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Note:
    """What this machine remembers of packages that it staged from one source; without it, they are staged again."""

    def __init__(self, kind: str, *parts: str) -> None:
        source = os.environ.get(WHEELHOUSE, "")
        self._name = f"staged-{kind}-{_sha256(chr(10).join((*parts, source)).encode())[:16]}"

    def read(self) -> bytes | None:
        with contextlib.suppress(OSError, MachineError):
            return (java.own_folder() / self._name).read_bytes()
        return None

    def write(self, content: bytes) -> None:
        with contextlib.suppress(OSError, MachineError):
            storage.write_bytes(str(java.own_folder() / self._name), content)


@contextmanager
def _downloaded(pins: list[str], python: str) -> Iterator[Path]:
    """A folder with the wheels."""
    with tempfile.TemporaryDirectory(prefix="flowerexp-wheels-") as name:
        folder = Path(name)
        constraints = folder / "constraints.txt"
        here = sorted({f"{one.name}=={one.version}" for one in metadata.distributions() if one.name != "flowerexp"})
        constraints.write_text("\n".join(here), encoding="utf-8")
        house = os.environ.get(WHEELHOUSE)
        source = ["--no-index", "--find-links", house] if house else []
        wheels = folder / "wheels"
        given = [*_target_options(python), *source, "--constraint", str(constraints)]
        _pip(["download", *given, "--dest", str(wheels), *pins])
        for tool in _TOOLS:
            for wheel in wheels.glob(f"{tool}-*.whl"):
                wheel.unlink()
        yield wheels


def _listed(folder: Path) -> bytes:
    """The requirements that are met by the wheels in a folder, all of them, with their hashes, as pip wants them."""
    from packaging.utils import parse_wheel_filename

    lines = []
    for path in sorted(folder.glob("*.whl")):
        name, version, *_ = parse_wheel_filename(path.name)
        lines.append(f"{name}=={version} --hash=sha256:{_sha256(path.read_bytes())}\n")
    return "".join(lines).encode()


def _target_options(python: str) -> list[str]:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]


def _archived(wheels: Path, python: str) -> Path:
    """An archive of what the wheels install."""
    target = wheels.parent / "packages"
    files = [str(path) for path in sorted(wheels.glob("*.whl"))]
    given = [*_target_options(python), "--no-index", "--no-deps", "--no-compile", "--target", str(target)]
    _pip(["install", *given, *files])
    archive = wheels.parent / ARCHIVE
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        file.add(target, arcname=".")
    return archive


def _pip(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        problem = scrubbed(lines[-1] if lines else done.stderr.strip()[-300:] or "pip failed")
        house = os.environ.get(WHEELHOUSE)
        hint = f"put its wheel into {house} ({WHEELHOUSE})" if house else "is it pinned to a version that has a wheel?"
        hint += ", or set cluster.packages=image if the image has the packages already"
        raise MachineError(f"the packages for the cluster cannot be downloaded: {problem}", hint=hint)
