"""Which git branch and commit a run was started from, read from the files of the checkout.

No git is called: a run must not wait for a process, nor need git to be installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_HEADS = "refs/heads/"
_POINTER = "gitdir:"
_IN_CI = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME")
"""Where CI systems, which check out a commit and no branch, name the branch; the first one counts."""


def checkout(folder: Path, environment: Mapping[str, str]) -> dict[str, str | None] | None:
    """``branch`` and ``commit`` of the checkout that a folder is in; None outside of one.

    The branch is None where a commit is checked out by itself and no variable of a CI system names one.
    """
    git = _git_folder(folder.resolve())
    if git is None:
        return None
    head = _text(git / "HEAD") or ""
    name = head.removeprefix("ref:").strip()
    if not head.startswith("ref:"):
        in_ci = next(filter(None, map(environment.get, _IN_CI)), None)
        return {"branch": in_ci, "commit": name or None}
    branch = name.removeprefix(_HEADS) if name.startswith(_HEADS) else None
    return {"branch": branch, "commit": _commit(git, name)}


def _git_folder(folder: Path) -> Path | None:
    """The folder that git keeps of a checkout; in a worktree a file says where it is."""
    for place in (folder, *folder.parents):
        found = place / ".git"
        if found.is_dir():
            return found
        said = _text(found)
        if said is not None and said.startswith(_POINTER):
            return place / said.removeprefix(_POINTER).strip()
    return None


def _commit(git: Path, name: str) -> str | None:
    """What a branch points at: a file of its own, else a line among the packed ones."""
    common = git / (_text(git / "commondir") or ".")
    own = _text(common / name)
    if own is not None:
        return own
    for line in (_text(common / "packed-refs") or "").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return commit
    return None


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
