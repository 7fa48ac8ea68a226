"""Suite files, YAML and Python, become suites: read, written out, checked, defaults merged in.

Every mistake of every file is found before anything is said, and all are raised together.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.clock import SYSTEM_CLOCK
from harness.errors import Problem, SuiteError, Where
from harness.suite import authoring
from harness.suite.assistants import (
    existing_assistant,
    is_assistant_id,
    load_variant,
    place_in_files,
)
from harness.suite.check import facts_of
from harness.suite.code import read_code
from harness.suite.defaults import Defaults
from harness.suite.draft import Draft
from harness.suite.fingerprints import SuiteFingerprint
from harness.suite.packed import PackedConversations
from harness.suite.records import Perturb, Suite, SuiteFile, Variant
from harness.suite.rubrics import check_rubrics
from harness.suite.streaming import NotPlain, open_stream
from harness.suite.stubs import Functions, check_stubs, functions_of
from harness.yamlfile.mistakes import shown
from harness.yamlfile.source import Source, kind_of, missing_file, read_source, unreadable_file

DEFAULT_FOLDER = Path("suites")
_ENDINGS = (".yaml", ".yml", ".py")
_SUITE_KEY = re.compile(r"^[\"']?(?:suite|conversations)[\"']?\s*:", re.MULTILINE)


def load_suite(path: Path, *, variant: Variant | None = None) -> Suite:
    """The suite of one file.

    Args:
        path: A YAML file with a ``suite:`` key, or a Python file; the first suite that this one makes.
        variant: The assistant to run instead of the file's own.

    Raises:
        SuiteError: With every mistake of the file and of the files it names.
    """
    loader = _Loader(variant)
    with _collector_paused():
        suites = loader.load(path, named=True)
    loader.raise_problems()
    return suites[0]


def load_suites(
    paths: Sequence[Path] = (),
    *,
    variant: Variant | None = None,
    more_variants: Sequence[Variant] = (),
    made: Sequence[authoring.Suite] = (),
    today: date | None = None,
) -> list[Suite]:
    """The suites of files and folders.

    Args:
        paths: Files, and folders whose YAML files with a ``suite:`` key and Python files that make suites are
            meant, also in folders below; the folder ``suites`` when empty.
        variant: The assistant to run instead of the suites' own.
        more_variants: Further ones to run beside it.
        made: Suites that a program has made; without paths these alone are meant.
        today: The day by which quarantines are too long or over; that of the system when left out.

    Raises:
        SuiteError: With every mistake of every file, in the order of files and lines.
    """
    loader = _Loader(variant, more_variants, today)
    found: dict[Path, list[Suite]] = {}
    folders = paths or (() if made else (DEFAULT_FOLDER,))
    files = (pair for path in folders for pair in loader.files_of(path))
    with _collector_paused():
        for file, named in files:
            if file not in found:
                found[file] = loader.load(file, named=named)
    suites = [suite for in_file in found.values() for suite in in_file]
    suites += [suite for each in made for suite in loader.load_made(each)]
    loader.compare_names(suites)
    loader.raise_problems()
    return suites


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: loading makes none, and the search would double its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Loader:
    """Loads suites and collects what is wrong with them; reads each assistant file once."""

    def __init__(
        self,
        variant: Variant | None,
        more_variants: Sequence[Variant] = (),
        today: date | None = None,
    ) -> None:
        self._variant = variant
        self._today = today or SYSTEM_CLOCK.now().date()
        self._more = more_variants
        self._variants: dict[Path, Variant | None] = {}
        self._problems: dict[Problem, None] = {}
        self._named_at: dict[tuple[Path, str], Where] = {}

    def raise_problems(self) -> None:
        if self._problems:
            raise SuiteError(sorted(self._problems, key=place_in_files))

    def files_of(self, path: Path) -> Iterator[tuple[Path, bool]]:
        """The files meant by a path, each with whether it was named itself."""
        kind = kind_of(path)
        if kind != "folder":
            yield path, True
            return
        files = sorted(file for ending in _ENDINGS for file in path.rglob(f"*{ending}") if _may_hold(file))
        if not files:
            hint = "name a suite file, or a folder that holds some"
            self._add([Problem(f"no suite files (.yaml, .py) below {str(path)!r}", Where(str(path)), hint)])
        yield from ((file, False) for file in files)

    def load(self, path: Path, *, named: bool) -> list[Suite]:
        """The suites of a file; none when it holds none, or only such that have mistakes."""
        if path.suffix == ".py":
            return self._load_python(path)
        suite = self._load_yaml(path, named=named)
        return [] if suite is None else [suite]

    def _load_python(self, path: Path) -> list[Suite]:
        from harness.suite.python import suites_in

        if kind_of(path) is None:
            self._add([missing_file(path, None)])
            return []
        try:
            made = suites_in(path)
        except SuiteError as error:
            self._add(error.problems)
            return []
        return [suite for each in made for suite in self.load_made(each, path)]

    def load_made(self, made: authoring.Suite, path: Path | None = None) -> list[Suite]:
        """The suite that Python code has made; none when it has mistakes."""
        from harness.suite.python import CodedDraft, digests_of_code, home_of

        before = len(self._problems)
        path = path or home_of(made)
        draft = CodedDraft(made, read_code(made.recipe.suite.file, str(path)), path.parent)
        self._add(draft.expand())
        file = draft.validated(self._add)
        own = self._variant_named(draft.data.get("assistant"), draft.where(("assistant",)), path)
        if file is None:
            return []
        suite = _suite_of(file, path, own or self._variant, draft.functions)
        self._named_at[path, suite.name] = draft.where(("suite",))
        self._add(draft.check(suite, self._today))
        expired = tuple(draft.expired(suite, self._today))
        self._add(_missing_faults(suite, draft.where(("faults",))))
        if len(self._problems) > before:
            return []
        code = digests_of_code(draft.code, path.parent)
        fingerprint = SuiteFingerprint()
        for conversation in suite.conversations:
            fingerprint.add(conversation)
        told = self._to_run(own) | {"expired": expired}
        ready = self._with_fingerprint(suite.model_copy(update=told), fingerprint, code)
        return [] if ready is None else [ready]

    def _load_yaml(self, path: Path, *, named: bool) -> Suite | None:
        try:
            return self._load_stream(path)
        except NotPlain:
            return self._load_whole(path, named=named)

    def _load_stream(self, path: Path) -> Suite | None:
        """The suite of a file without mistakes.

        Raises:
            NotPlain: It has some, or can't be read in parts.
        """
        stream = open_stream(path)
        assistant = stream.file.assistant
        own = self._own_variant(assistant, path)
        if assistant and own is None:
            raise NotPlain
        suite = _suite_of(stream.file, path, own or self._variant)
        facts = facts_of(suite.variant)
        mistakes = (
            *check_stubs(suite.stubs, suite.functions, facts, path.parent),
            *check_rubrics(suite.rubrics),
        )
        self._named_at[path, suite.name] = stream.source.where(("suite",))
        if mistakes or any(_missing_faults(suite, stream.source.where(("faults",)))):
            raise NotPlain
        fingerprint = SuiteFingerprint()
        found = stream.conversations(facts, path.parent, self._today)
        packed = PackedConversations(fingerprint.over(found), Defaults.of(stream.file))
        ready = suite.model_copy(update={**self._to_run(own), "conversations": packed})
        return self._with_fingerprint(ready, fingerprint)

    def _load_whole(self, path: Path, *, named: bool) -> Suite | None:
        """The suite of a file, or everything that is wrong with it, each with its place."""
        source = self._read(path, named=named)
        if source is None:
            return None
        before = len(self._problems)
        self._add(source.problems)
        draft = Draft(source, path.parent)
        self._add(draft.expand())
        file = draft.validated(self._add)
        own = self._variant_named(source.data.get("assistant"), source.where(("assistant",)), path)
        suite = _suite_of(file, path, own or self._variant) if file is not None else None
        if suite is not None:
            self._named_at[path, suite.name] = source.where(("suite",))
            self._add(draft.check(suite, self._today))
            self._add(_missing_faults(suite, source.where(("faults",))))
        if file is None or suite is None or len(self._problems) > before:
            return None
        expired = tuple(draft.expired(suite, self._today))
        fingerprint = SuiteFingerprint()
        packed = PackedConversations(fingerprint.over(suite.conversations), Defaults.of(file))
        told = {"expired": expired, "conversations": packed}
        return self._with_fingerprint(suite.model_copy(update=self._to_run(own) | told), fingerprint)

    def _to_run(self, own: Variant | None) -> dict[str, object]:
        """The assistants to run a suite with that has this one of its own."""
        more = tuple(_to_run(variant, own) for variant in self._more)
        return {"variant": _to_run(self._variant, own) if self._variant else own, "more_variants": more}

    def _with_fingerprint(
        self, suite: Suite, fingerprint: SuiteFingerprint, code: Sequence[str] = ()
    ) -> Suite | None:
        try:
            made = fingerprint.of(suite, code)
            return suite.model_copy(update={"fingerprint": made, "parts": fingerprint.parts})
        except OSError as error:
            self._add(
                [unreadable_file(Path(str(error.filename)), error, self._named_at[suite.source, suite.name])]
            )
            return None

    def compare_names(self, suites: Iterable[Suite]) -> None:
        """Two suites of one name would mix up their results."""
        first: dict[str, Suite] = {}
        for suite in suites:
            other = first.setdefault(suite.name, suite)
            if other is not suite:
                message = f"the suite name {suite.name!r} is taken by {str(other.source)!r}"
                self._add(
                    [
                        Problem(
                            message, self._named_at[suite.source, suite.name], "give each suite its own name"
                        )
                    ]
                )

    def _add(self, problems: Iterable[Problem]) -> None:
        self._problems |= dict.fromkeys(problems)

    def _read(self, path: Path, *, named: bool) -> Source | None:
        try:
            source = read_source(path)
        except SuiteError as error:
            if named or _speaks_of_suites(path):
                self._add(error.problems)
            return None
        if isinstance(source.data, dict) and (named or {"suite", "conversations"} & set(source.data)):
            return source
        if named:
            message = f"a suite file is a block with suite and conversations, not {shown(source.data)}"
            self._add([Problem(message, source.where(()))])
        return None

    def _variant_named(self, named: Any, where: Where, path: Path) -> Variant | None:
        """The suite's own assistant, which its expectations are checked against.

        Another version that is run instead may lack a document or a function: that makes expectations fail,
        and is no mistake of the suite. Then mistakes of the own assistant don't matter either.
        """
        if not isinstance(named, str) or not named:
            return None
        file = Path(os.path.normpath(path.parent / named))
        if not is_assistant_id(named) and kind_of(file) is None:
            self._add_own([missing_file(file, where)])
        return self._own_variant(named, path)

    def _own_variant(self, named: str | None, path: Path) -> Variant | None:
        """The assistant that a suite names; None when it names none, or one that can't be loaded."""
        if not named or is_assistant_id(named):
            return existing_assistant(named) if named else None
        file = Path(os.path.normpath(path.parent / named))
        if file not in self._variants:
            self._variants[file] = self._load_variant(file) if kind_of(file) is not None else None
        return self._variants[file]

    def _load_variant(self, file: Path) -> Variant | None:
        try:
            return load_variant(file)
        except SuiteError as error:
            self._add_own(error.problems)
            return None

    def _add_own(self, problems: Iterable[Problem]) -> None:
        """Mistakes about the suites' own assistants: they count unless another one is run."""
        if self._variant is None:
            self._add(problems)


def _missing_faults(suite: Suite, where: Where) -> Iterator[Problem]:
    """That the file of faults is not there; what stands in it is the server's to judge."""
    if suite.faults is not None and kind_of(suite.faults) is None:
        yield missing_file(suite.faults, where)


def _may_hold(file: Path) -> bool:
    """Whether a file of a folder may hold suites: Python only where it makes some, for it is executed."""
    from harness.suite.python import is_suite_file

    return file.is_file() and (file.suffix != ".py" or is_suite_file(file))


def _speaks_of_suites(path: Path) -> bool:
    """Whether a file that is not YAML was probably meant as a suite."""
    try:
        return _SUITE_KEY.search(path.read_bytes().decode("utf-8", errors="replace")) is not None
    except OSError:
        return True


def _to_run(variant: Variant, own: Variant | None) -> Variant:
    """The assistant to run; of one that is only an id, the suite's own file says what a hand-over is."""
    if own is None or not variant.assistant_id or variant.source:
        return variant
    known = {"escalation": own.assistant.escalation}
    return variant.model_copy(update={"assistant": variant.assistant.model_copy(update=known)})


# --- defaults ---------------------------------------------------------------------------------------------


def _suite_of(
    file: SuiteFile, path: Path, variant: Variant | None, functions: Functions = MappingProxyType({})
) -> Suite:
    defaults = Defaults.of(file)
    for conversation in file.conversations:
        defaults.fill_in(conversation)
    # All of it is checked already; building what would check it again takes a short run three milliseconds.
    return Suite.model_construct(
        name=file.suite,
        source=path,
        variant=variant,
        repeats=file.repeats,
        stubs=file.tools,
        functions=functions_of(file.tools, path.parent, functions),
        rubrics=file.rubrics,
        faults=Path(os.path.normpath(path.parent / file.faults)) if file.faults else None,
        perturb=file.perturb or Perturb(),
        quarantine=file.quarantine,
        conversations=file.conversations,
    )
