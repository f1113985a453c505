"""The programs that an initialization action finds on a node; see `initialization`. Run: `shims.py PROGRAM ARGUMENTS`.

Beside the standard library it needs `packaging`, found by FAKE_SITE: it is started without site-packages, to be quick.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

_OPTIONS_WITH_VALUE = {
    *("-f", "--find-links", "-r", "--requirement", "-c", "--constraint", "-t", "--target", "--prefix", "-i"),
    *("--index-url", "--extra-index-url", "--timeout", "--retries", "--root", "--only-binary", "--no-binary"),
    *("--platform", "--python-version", "--cache-dir", "--log", "--root-user-action", "--progress-bar"),
}


def fail(message: str) -> NoReturn:
    """End with an error."""
    sys.stderr.write(f"{message}\n")
    raise SystemExit(1)


# Cloud Storage.


def _get(path: str, **query: str) -> bytes:
    url = f"{os.environ['STORAGE_EMULATOR_HOST']}/storage/v1/b/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url) as answer:
        content: bytes = answer.read()
    return content


def _objects(uri: str, recursive: bool) -> Iterator[tuple[str, str]]:
    """(bucket, name) of the objects that a URI names, with wildcards as gcloud has them."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    prefix = re.split(r"[*?\[]", name)[0]
    listed: list[dict[str, Any]] = json.loads(_get(f"{bucket}/o", prefix=prefix)).get("items", [])
    for entry in listed:
        found = entry["name"]
        # A single * does not cross a slash, ** does.
        flat = "**" in name or found.count("/") == name.count("/")
        inside = recursive and found.startswith(name.rstrip("/") + "/")
        if inside or (flat and fnmatch.fnmatchcase(found, name.replace("**", "*"))):
            yield bucket, found


def _copy(arguments: list[str]) -> None:
    recursive = any(argument in ("-r", "-R", "--recursive", "rsync") for argument in arguments)
    *sources, target = [each for each in arguments if not each.startswith("-") and each not in ("cp", "rsync")]
    for source in sources:
        found = list(_objects(source, recursive))
        if not found:
            fail(f"ERROR: (gcloud.storage.cp) The following URLs matched no objects or files:\n-{source}")
        for bucket, name in found:
            content = _get(f"{bucket}/o/{urllib.parse.quote(name, safe='')}", alt="media")
            if target == "-":
                sys.stdout.buffer.write(content)
                continue
            folder = Path(target).is_dir() or target.endswith("/") or len(found) > 1 or recursive
            path = Path(target) / name.rpartition("/")[2] if folder else Path(target)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def gcloud(arguments: list[str]) -> None:
    """`gcloud storage cp|rsync|cat`."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    if words[:1] != ["storage"] or words[1:2] not in (["cp"], ["rsync"], ["cat"]):
        fail(f"gcloud {' '.join(arguments)}: the tests know only: gcloud storage cp|rsync|cat")
    rest = arguments[arguments.index(words[1]) :]
    _copy([*rest[1:], "-"] if words[1] == "cat" else rest)


def gsutil(arguments: list[str]) -> None:
    """`gsutil [-m] [-q] cp|rsync|cat`."""
    gcloud(["storage", *[argument for argument in arguments if argument not in ("-m", "-q")]])


def get_metadata_value(arguments: list[str]) -> None:
    """`get_metadata_value attributes/NAME`; without such an attribute it fails, as curl does on 404."""
    metadata = json.loads((Path(os.environ["FAKE_NODE"]) / "metadata.json").read_bytes())
    name = arguments[0].removeprefix("attributes/")
    if name not in metadata:
        raise SystemExit(1)
    sys.stdout.write(metadata[name])


# pip.


def pip(arguments: list[str]) -> None:
    """`pip install`: what would be installed, or why not, in pip's words."""
    if arguments[:1] != ["install"]:
        return  # pip list, pip --version and the like
    options, requirements, hashes = _parsed(arguments[1:])
    offline = "--no-index" in options or os.environ.get("PIP_NO_INDEX")
    if not offline and not os.environ["FAKE_NETWORK"]:
        sys.stderr.write(
            "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection "
            "broken by 'ConnectTimeoutError': /simple/\n"
        )
    for requirement in requirements:
        wheel = _wheel(requirement, options)
        if wheel is not None:
            _check_hash(requirement, wheel, options, hashes)
            _installed(modules([info.filename for info in zipfile.ZipFile(wheel).infolist()]))
        elif offline or not os.environ["FAKE_NETWORK"]:
            fail(
                f"ERROR: Could not find a version that satisfies the requirement {requirement} (from versions: none)\n"
                f"ERROR: No matching distribution found for {requirement}"
            )
        else:
            _installed(_modules_of_this_machine(requirement))


def _check_hash(requirement: str, wheel: Path, options: dict[str, list[str]], hashes: dict[str, str]) -> None:
    """Refuse a wheel of another hash, or without one where all need theirs, in pip's words."""
    expected, got = hashes.get(requirement, ""), hashlib.sha256(wheel.read_bytes()).hexdigest()
    if not expected and "--require-hashes" in options:
        fail(f"ERROR: Hashes are required in --require-hashes mode, but they are missing: {requirement}")
    if expected and expected != got:
        fail(
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
            f"    {requirement}:\n        Expected sha256 {expected}\n             Got        {got}"
        )


def _parsed(arguments: list[str]) -> tuple[dict[str, list[str]], list[str], dict[str, str]]:
    options: dict[str, list[str]] = {}
    requirements: list[str] = []
    hashes: dict[str, str] = {}
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            requirements.append(word)
        elif name in _OPTIONS_WITH_VALUE:
            options.setdefault(name, []).append(value if equals else waiting.pop(0))
        else:
            options.setdefault(word, [])
    for name in ("-r", "--requirement"):
        for file in options.get(name, []):
            lines = [line.partition("#")[0].strip() for line in Path(file).read_text().splitlines()]
            for line in filter(None, lines):
                requirement, _, given = line.partition(" --hash=sha256:")
                requirements.append(requirement)
                hashes[requirement] = given
    return options, requirements, hashes


def _wheel(requirement: str, options: dict[str, list[str]]) -> Path | None:
    """The wheel file of a requirement that fits the image's Python; None without one."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name, parse_wheel_filename

    if requirement.endswith(".whl"):
        path = Path(requirement.removeprefix("file://"))
        if not path.is_file():
            fail(f"ERROR: Could not install packages due to an OSError: No such file or directory: '{path}'")
        if not _fits(path.name):
            fail(f"ERROR: {path.name} is not a supported wheel on this platform.")
        return path
    wanted = Requirement(requirement)
    for folder in [*options.get("-f", []), *options.get("--find-links", [])]:
        for path in sorted(Path(folder.removeprefix("file://")).glob("*.whl")):
            name, version, _, _ = parse_wheel_filename(path.name)
            same = name == canonicalize_name(wanted.name)
            if same and wanted.specifier.contains(version, prereleases=True) and _fits(path.name):
                return path
    return None


def _fits(filename: str) -> bool:
    from packaging.utils import parse_wheel_filename

    minor = int(os.environ["FAKE_PYTHON"].partition(".")[2])
    for tag in parse_wheel_filename(filename)[3]:
        exact = tag.interpreter in (f"cp3{minor}", f"py3{minor}", "py3")
        stable = tag.abi == "abi3" and tag.interpreter.startswith("cp3") and int(tag.interpreter[3:]) <= minor
        if (exact or stable) and (tag.platform == "any" or re.fullmatch(r"(many)?linux.*_x86_64", tag.platform)):
            return True
    return False


def modules(files: list[str]) -> set[str]:
    """The import names in a distribution's files: modules, and every package with all packages above it."""
    found = set()
    for file in files:
        if ".dist-info/" in file or not file.endswith((".py", ".so")):
            continue
        parts = file.split("/")
        parts[-1] = parts[-1].partition(".")[0]
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found.add(".".join(parts))
    return found


def _modules_of_this_machine(requirement: str) -> set[str]:
    """What PyPI would bring: as this machine's own copy of the distribution has it."""
    from importlib.metadata import PackageNotFoundError, files

    from packaging.requirements import Requirement

    try:
        return modules([str(file) for file in files(Requirement(requirement).name) or []])
    except PackageNotFoundError:
        return set()


def _installed(modules: set[str]) -> None:
    with (Path(os.environ["FAKE_NODE"]) / "installed.txt").open("a") as file:
        file.write("".join(f"{name}\n" for name in sorted(modules)))


def python(arguments: list[str]) -> None:
    """`python -m pip` is ours, everything else the real interpreter."""
    if arguments[:2] == ["-m", "pip"]:
        pip(arguments[2:])
    else:
        os.execv(sys.executable, [sys.executable, *arguments])


def no_pip(_: list[str]) -> None:
    """Debian's own pip installs nothing: PEP 668."""
    fail("error: externally-managed-environment\n\nx This environment is externally managed")


def system_python(arguments: list[str]) -> None:
    """Debian's own Python."""
    (no_pip if arguments[:2] == ["-m", "pip"] else python)(arguments)


def main() -> None:
    """Be the program that the first argument names."""
    sys.path += os.environ["FAKE_SITE"].split(os.pathsep)
    program, *arguments = sys.argv[1:]
    if program == "sudo":
        os.execvp(arguments[0], arguments)
    known: dict[str, Callable[[list[str]], None]]
    known = {"gcloud": gcloud, "gsutil": gsutil, "get_metadata_value": get_metadata_value}
    known |= {"pip": pip, "pip3": pip, "python": python, "python3": python}
    known |= {"system-pip": no_pip, "system-pip3": no_pip}
    known |= {f"system-{name}": system_python for name in ("python", "python3")}
    try:
        if program in known:
            known[program](arguments)
    except urllib.error.HTTPError as error:
        fail(f"ERROR: {error}")


if __name__ == "__main__":
    main()
