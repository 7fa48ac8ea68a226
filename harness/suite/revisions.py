"""An assistant file as it is at a git revision, with everything that it names.

``prompts.yaml@main`` is the file ``prompts.yaml`` at the revision ``main``. The file, the files it is based
on and the documents are taken from git into a folder of their own, which is removed when the program ends;
the working tree is not touched.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath

import msgspec

from harness.errors import Problem, SuiteError, Where
from harness.suite.assistants import load_variant
from harness.suite.records import Variant
from harness.text import nearest
from harness.yamlfile.source import read_source

_ENDINGS = (".yaml", ".yml")
_MAGIC = frozenset("*?[")
_GIT_S = 120


def split_revision(text: str) -> tuple[Path, str] | None:
    """The file and the revision that ``FILE@REVISION`` names; None when it is a plain path.

    A file whose own name holds an @ is found first, so its revision is what follows after its ending.
    """
    places = [place for place, character in enumerate(text) if character == "@"]
    if not places or Path(text).exists():
        return None
    after_ending = next((place for place in places if text[:place].endswith(_ENDINGS)), None)
    if after_ending is None and text.endswith(_ENDINGS):
        return None
    place = places[-1] if after_ending is None else after_ending
    return Path(text[:place]), text[place + 1 :]


def load_at_revision(path: Path, revision: str, *, name: str | None = None) -> Variant:
    """The variant of an assistant file at a git revision.

    Args:
        path: The file; it need not be there any more, its folder says which repository is meant.
        revision: A branch, a tag, a commit, or anything that git resolves to one.
        name: What the variant is called; ``prompts@main`` by default.

    Raises:
        SuiteError: There is no such repository, revision or file, or the files have mistakes; places in
            them are told as ``prompts.yaml@main:3:1``.
    """
    tree = _Tree.of(path, revision)
    copy = _Copy(tree, revision)
    copy.assistant(tree.inside)
    try:
        variant = load_variant(copy.folder / tree.inside, name=name or f"{path.stem}@{revision}")
    except SuiteError as error:
        raise SuiteError([copy.told(problem) for problem in error.problems]) from error
    return variant.model_copy(update={"revision": tree.commit})


def commit_of(path: Path, revision: str) -> str:
    """The full id of the commit that a revision means now, in the repository of a file.

    Raises:
        SuiteError: There is no such repository or revision.
    """
    shown = f"{path}@{revision}"
    return _commit(_root(path, shown), revision, shown)


# --- git --------------------------------------------------------------------------------------------------


class _Tree(msgspec.Struct, frozen=True):
    """The files of a repository at one commit.

    Attributes:
        root: The repository's folder.
        commit: The full id.
        inside: The assistant file, from the root.
        files: Every file at that commit, from the root.
    """

    root: Path
    commit: str
    inside: str
    files: frozenset[str]

    @classmethod
    def of(cls, path: Path, revision: str) -> _Tree:
        """The tree that a revision of the file's repository names."""
        shown = f"{path}@{revision}"
        root = _root(path, shown)
        commit = _commit(root, revision, shown)
        inside = Path(os.path.relpath(path.resolve(), root)).as_posix()
        listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", "--name-only", commit)
        tree = cls(
            root, commit, inside, frozenset(filter(None, listed.decode(errors="surrogateescape").split("\0")))
        )
        if inside not in tree.files:
            message = f"there is no file {inside!r} at the revision {revision!r}"
            raise SuiteError([Problem(message, Where(shown), tree.hint(inside))])
        return tree

    def hint(self, wanted: str) -> str | None:
        """The file most like one that is not there."""
        near = nearest(wanted, sorted(self.files))
        same_name = [
            file for file in sorted(self.files) if PurePosixPath(file).name == PurePosixPath(wanted).name
        ]
        found = near or next(iter(same_name), None)
        return f"did you mean {found!r}?" if found else None

    def content(self, file: str) -> bytes:
        """The bytes of a file, as a checkout would write them."""
        return _git(self.root, "cat-file", "--filters", f"{self.commit}:{file}")


def _root(path: Path, shown: str) -> Path:
    folder = next(parent for parent in path.resolve().parents if parent.is_dir())
    found = _run(folder, "rev-parse", "--show-toplevel")
    if found.returncode:
        hint = "a revision needs a file in a git repository; without @REVISION the file itself is read"
        reason = _said(found)
        raise SuiteError([Problem(f"{str(folder)!r} is in no git repository ({reason})", Where(shown), hint)])
    return Path(os.fsdecode(found.stdout.rstrip(b"\n"))).resolve()


def _commit(root: Path, revision: str, shown: str) -> str:
    if revision and not revision.startswith("-"):
        found = _run(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if not found.returncode:
            return found.stdout.decode().strip()
    message = (
        f"there is no revision {revision!r} in {str(root)!r}" if revision else "no revision follows the @"
    )
    raise SuiteError([Problem(message, Where(shown), _revision_hint(root, revision))])


def _revision_hint(root: Path, revision: str) -> str:
    refs = _git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes")
    names = [name for name in refs.decode(errors="replace").splitlines() if name]
    near = nearest(revision, names)
    hint = f"did you mean {near!r}?" if near else f"branches and tags: {', '.join(names[:10]) or 'none'}"
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        hint += " This clone is shallow and may lack it: git fetch --unshallow, in CI a fetch depth of 0"
    return hint


def _git(folder: Path, *arguments: str) -> bytes:
    """What git prints.

    Raises:
        SuiteError: It fails, which it has no reason to.
    """
    done = _run(folder, *arguments)
    if done.returncode:
        raise SuiteError([Problem(f"git {arguments[0]} failed: {_said(done)}", Where(str(folder)))])
    return done.stdout


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=_GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = "install git, or name a file without @REVISION"
        raise SuiteError([Problem(f"git cannot be used: {error}", Where(str(folder)), hint)]) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"git ended with {done.returncode}"


# --- the copy ---------------------------------------------------------------------------------------------


@cache
def _all_copies() -> Path:
    """Where the copies of this process lie; removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="harness-revisions-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass(slots=True)
class _Copy:
    """The files of a tree that an assistant needs, in a folder of their own.

    Attributes:
        tree: Where they come from.
        revision: As it was asked for.
        folder: Stands for the root of the repository.
    """

    tree: _Tree
    revision: str
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = _all_copies() / self.tree.commit
        self.folder.mkdir(exist_ok=True)

    def assistant(self, file: str) -> None:
        """Copy an assistant file, those it is based on, and all that they name."""
        seen: set[str] = set()
        while file in self.tree.files and file not in seen:
            seen.add(file)
            self._write(file)
            folder = PurePosixPath(file).parent
            data = self._data(file)
            for pattern in _patterns(data):
                self._documents(folder, pattern)
            base = data.get("base")
            if not isinstance(base, str):
                return
            file = _within(folder, base)

    def _data(self, file: str) -> dict[str, object]:
        """What stands in a file, as far as it can be read: its mistakes are told by who loads it."""
        try:
            data = read_source(self.folder / file).data
        except SuiteError:
            return {}
        return data if isinstance(data, dict) else {}

    def _documents(self, folder: PurePosixPath, pattern: str) -> None:
        """Copy at least the files that a path or glob means, and the folders it looks into."""
        wanted = _within(folder, pattern)
        fixed = _fixed_part(wanted)
        (self.folder / fixed).parent.mkdir(parents=True, exist_ok=True)
        last = PurePosixPath(wanted).name
        for file in self.tree.files:
            below = file == wanted or file.startswith(f"{fixed}/") or fixed in ("", ".")
            if below and (file == wanted or last == "**" or fnmatchcase(PurePosixPath(file).name, last)):
                self._write(file)

    def _write(self, file: str) -> None:
        path = self.folder / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.tree.content(file))

    def told(self, problem: Problem) -> Problem:
        """A mistake with the names of files as their author knows them."""
        where = problem.where
        if where is not None:
            where = Where(self._named(where.file), where.line, where.column)
        message, hint = problem.message, problem.hint
        if missing := self._missing(message):
            hint = self.tree.hint(missing)
        return Problem(self._from_root(message), where, self._from_root(hint) if hint else None)

    def _from_root(self, text: str) -> str:
        return text.replace(f"{self.folder}{os.sep}", "").replace(str(self.folder), ".")

    def _named(self, file: str) -> str:
        inside = Path(file)
        if inside.is_relative_to(self.folder):
            shown = os.path.relpath(self.tree.root / inside.relative_to(self.folder))
            return f"{shown}@{self.revision}"
        return file

    def _missing(self, message: str) -> str | None:
        """The file that a message says is not there, from the root."""
        prefix = f"no file '{self.folder}{os.sep}"
        return message.removeprefix(prefix).rstrip("'") if message.startswith(prefix) else None


def _patterns(data: dict[str, object]) -> Iterator[str]:
    for key in ("knowledge", "code_files"):
        named = data.get(key)
        yield from (each for each in named if isinstance(each, str)) if isinstance(named, list) else ()


def _within(folder: PurePosixPath, path: str) -> str:
    return PurePosixPath(os.path.normpath(folder / path)).as_posix()


def _fixed_part(pattern: str) -> str:
    """The folders of a glob before its first wildcard; all folders of a plain path."""
    fixed: list[str] = []
    for part in PurePosixPath(pattern).parts:
        if _MAGIC & set(part):
            break
        fixed.append(part)
    return "/".join(fixed)
