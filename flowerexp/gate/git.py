"""What a gate asks of git: a revision's commit, what has changed since, and its files in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowerexp.errors import MachineError

SHORT = 10
"""Characters of a commit's hash in messages."""

# Within a hook, git says by these which repository it works on.
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


@dataclass(frozen=True)
class Repository:
    """A git repository, by the folder that its working tree is in."""

    root: Path

    @classmethod
    def around(cls, path: Path) -> Repository | None:
        """The repository that a file or folder is in; None without one, and for what it is told to ignore."""
        folder = path if path.is_dir() else path.parent
        code, top = _git(folder, "rev-parse", "--show-toplevel")
        if code or not _git(folder, "check-ignore", "--quiet", "--", str(path))[0]:
            return None
        return cls(Path(top))

    def commit(self, revision: str) -> str | None:
        """The whole hash of a commit, branch or tag; None where there is none of that name."""
        code, found = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return found if not code else None

    def has(self, commit: str, path: Path) -> bool:
        """Whether a commit has a file or folder.

        Args:
            commit: its hash.
            path: where it is in the working tree.
        """
        return not self._ask("cat-file", "-e", f"{commit}:{path.relative_to(self.root).as_posix()}")[0]

    def changes(self, commit: str) -> list[str]:
        """The files in which the working tree differs from a commit, those that git does not know yet included."""
        changed = self._lines("diff", "--name-only", "--no-ext-diff", commit, "--")
        return [*changed, *self._lines("ls-files", "--others", "--exclude-standard")]

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether a commit is part of the history of another one."""
        return not self._ask("merge-base", "--is-ancestor", commit, of)[0]

    @contextmanager
    def worktree(self, commit: str) -> Iterator[Path]:
        """A commit's files in a temporary folder, which is removed at the end.

        Raises:
            MachineError: git cannot make it.
        """
        above = Path(tempfile.mkdtemp(prefix="flowerexp-gate-"))
        folder = above.resolve() / "tree"
        try:
            # A hook of the user's would run at each gate, and may want what is not there.
            quiet = ("-c", f"core.hooksPath={os.devnull}")
            code, said = self._ask(*quiet, "worktree", "add", "--detach", str(folder), commit)
            if code:
                raise MachineError(f"git cannot take the files of {commit[:SHORT]} out of {self.root}: {said}")
            yield folder
        finally:
            shutil.rmtree(above, ignore_errors=True)
            self._ask("worktree", "prune")  # git forgets folders that are gone

    def _lines(self, *words: str) -> list[str]:
        return self._ask(*words)[1].splitlines()

    def _ask(self, *words: str) -> tuple[int, str]:
        return _git(self.root, *words)


def _git(folder: Path, *words: str) -> tuple[int, str]:
    """Git's exit code, and what it printed; of an error, what it said.

    Raises:
        MachineError: there is no git.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=environment, capture_output=True, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise MachineError(f"git cannot be run: {error.strerror}", hint="install git") from error
    return done.returncode, (done.stderr if done.returncode else done.stdout).strip()
