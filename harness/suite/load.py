"""Suite files become suites: read, written out, checked, defaults merged in.

Every mistake of every file is found before anything is said, and all are raised together.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import Problem, SuiteError, Where
from harness.suite.assistants import (
    digest_of,
    digest_of_file,
    digest_of_parts,
    existing_assistant,
    is_assistant_id,
    load_variant,
    place_in_files,
)
from harness.suite.draft import Draft
from harness.suite.records import AnswerExpectation, Conversation, Expect, Suite, SuiteFile, Variant
from harness.yamlfile.mistakes import shown
from harness.yamlfile.source import Source, kind_of, missing_file, read_source, unreadable_file

DEFAULT_FOLDER = Path("suites")
_ENDINGS = (".yaml", ".yml")
_SUITE_KEY = re.compile(r"^[\"']?(?:suite|conversations)[\"']?\s*:", re.MULTILINE)


def load_suite(path: Path, *, variant: Variant | None = None) -> Suite:
    """The suite of one file.

    Args:
        path: A YAML file with a ``suite:`` key.
        variant: The assistant to run instead of the file's own.

    Raises:
        SuiteError: With every mistake of the file and of the files it names.
    """
    loader = _Loader(variant)
    with _collector_paused():
        suite = loader.load(path, named=True)
    loader.raise_problems()
    assert suite is not None  # a named file is a suite or has a problem
    return suite


def load_suites(
    paths: Sequence[Path] = (), *, variant: Variant | None = None, more_variants: Sequence[Variant] = ()
) -> list[Suite]:
    """The suites of files and folders.

    Args:
        paths: Files, and folders whose YAML files with a ``suite:`` key are meant, also in folders below;
            the folder ``suites`` when empty.
        variant: The assistant to run instead of the suites' own.
        more_variants: Further ones to run beside it.

    Raises:
        SuiteError: With every mistake of every file, in the order of files and lines.
    """
    loader = _Loader(variant, more_variants)
    found: dict[Path, Suite | None] = {}
    files = (pair for path in paths or (DEFAULT_FOLDER,) for pair in loader.files_of(path))
    with _collector_paused():
        for file, named in files:
            if file not in found:
                found[file] = loader.load(file, named=named)
    suites = [suite for suite in found.values() if suite is not None]
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

    def __init__(self, variant: Variant | None, more_variants: Sequence[Variant] = ()) -> None:
        self._variant = variant
        self._more = more_variants
        self._variants: dict[Path, Variant | None] = {}
        self._problems: dict[Problem, None] = {}
        self._named_at: dict[Path, Where] = {}

    def raise_problems(self) -> None:
        if self._problems:
            raise SuiteError(sorted(self._problems, key=place_in_files))

    def files_of(self, path: Path) -> Iterator[tuple[Path, bool]]:
        """The files meant by a path, each with whether it was named itself."""
        kind = kind_of(path)
        if kind != "folder":
            yield path, True
            return
        files = sorted(file for ending in _ENDINGS for file in path.rglob(f"*{ending}") if file.is_file())
        if not files:
            hint = "name a suite file, or a folder that holds some"
            self._add([Problem(f"no suite files (.yaml) below {str(path)!r}", Where(str(path)), hint)])
        yield from ((file, False) for file in files)

    def load(self, path: Path, *, named: bool) -> Suite | None:
        """The suite of a file; None when it is none, or has mistakes."""
        source = self._read(path, named=named)
        if source is None:
            return None
        before = len(self._problems)
        self._add(source.problems)
        draft = Draft(source, path.parent)
        self._add(draft.expand())
        file = draft.validated(self._add)
        own = self._variant_of(source, path)
        suite = _suite_of(file, path, own or self._variant) if file is not None else None
        if suite is not None:
            self._named_at[path] = source.where(("suite",))
            self._add(draft.check(suite))
            self._add(_missing_faults(suite, source))
        if suite is None or len(self._problems) > before:
            return None
        more = tuple(_to_run(variant, own) for variant in self._more)
        to_run = {"variant": _to_run(self._variant, own) if self._variant else own, "more_variants": more}
        return self._with_fingerprint(suite.model_copy(update=to_run))

    def _with_fingerprint(self, suite: Suite) -> Suite | None:
        try:
            return suite.model_copy(update={"fingerprint": _fingerprint(suite)})
        except OSError as error:
            self._add([unreadable_file(Path(str(error.filename)), error, self._named_at[suite.source])])
            return None

    def compare_names(self, suites: Iterable[Suite]) -> None:
        """Two suites of one name would mix up their results."""
        first: dict[str, Suite] = {}
        for suite in suites:
            other = first.setdefault(suite.name, suite)
            if other is not suite:
                message = f"the suite name {suite.name!r} is taken by {str(other.source)!r}"
                self._add([Problem(message, self._named_at[suite.source], "give each suite its own name")])

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

    def _variant_of(self, source: Source, path: Path) -> Variant | None:
        """The suite's own assistant, which its expectations are checked against.

        Another version that is run instead may lack a document or a function: that makes expectations fail,
        and is no mistake of the suite. Then mistakes of the own assistant don't matter either.
        """
        named = source.data.get("assistant")
        if not isinstance(named, str) or not named:
            return None
        if is_assistant_id(named):
            return existing_assistant(named)
        file = Path(os.path.normpath(path.parent / named))
        if kind_of(file) is None:
            self._add_own([missing_file(file, source.where(("assistant",)))])
            return None
        if file not in self._variants:
            self._variants[file] = self._load_variant(file)
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


def _missing_faults(suite: Suite, source: Source) -> Iterator[Problem]:
    """That the file of faults is not there; what stands in it is the server's to judge."""
    if suite.faults is not None and kind_of(suite.faults) is None:
        yield missing_file(suite.faults, source.where(("faults",)))


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


def _suite_of(file: SuiteFile, path: Path, variant: Variant | None) -> Suite:
    _fill_in_defaults(file.conversations, file.expect or Expect())
    return Suite(
        name=file.suite,
        source=path,
        variant=variant,
        repeats=file.repeats,
        stubs=file.tools,
        faults=Path(os.path.normpath(path.parent / file.faults)) if file.faults else None,
        conversations=file.conversations,
    )


def _fill_in_defaults(conversations: Iterable[Conversation], default: Expect) -> None:
    """Merge the suite's expectations into those of every turn.

    Frozen as they are, the turns are changed in place: they were made a moment ago, and nobody else has them.
    Thousands of conversations mostly expect the same few things, which are kept once.
    """
    known: dict[Any, Expect] = {}
    for conversation in conversations:
        for turn in conversation.turns:
            turn.__dict__["expect"] = _merged_once(default, turn.expect, known)
            turn.__pydantic_fields_set__.add("expect")


def _merged_once(default: Expect, own: Expect, known: dict[Any, Expect]) -> Expect:
    said = frozenset(own.model_fields_set), frozenset(own.answer.model_fields_set) if own.answer else None
    try:
        found = known.get((said, own))
    except TypeError:  # a JSON Schema or arguments in it: no key for a table
        return merged(default, own)
    if found is None:
        found = known[said, own] = merged(default, own)
    return found


def merged(default: Expect, own: Expect) -> Expect:
    """What must hold for a turn: its own expectations over the suite's.

    Each key of the turn replaces the suite's; null switches it off. The parts of ``answer`` are replaced
    one by one. A turn that says nothing of its status must be completed.
    """
    update = {key: getattr(own, key) for key in own.model_fields_set}
    if own.answer is not None and default.answer is not None:
        update["answer"] = _merged_answer(default.answer, own.answer)
    if "requires" not in update and default.requires:
        update["requires"] = tuple(
            key for key in default.requires if not (key in update and update[key] is None)
        )
    if "status" not in update and "status" not in default.model_fields_set:
        update["status"] = "completed"
    return default.model_copy(update=update)


def _merged_answer(default: AnswerExpectation, own: AnswerExpectation) -> AnswerExpectation:
    return default.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


# --- fingerprint ------------------------------------------------------------------------------------------


def _fingerprint(suite: Suite) -> str:
    """SHA-256 over what is sent and expected: conversations, stubs, bytes of attached files and of faults.

    Names, tags, clusters and repeats decide neither.
    """
    return digest_of_parts(_deciding(suite))


def _deciding(suite: Suite) -> Iterator[Any]:
    known: dict[int, str] = {}
    for each in suite.conversations:
        yield each.model_dump(mode="json", by_alias=True, exclude=_BESIDE, exclude_defaults=True)
        yield [_expected(turn.expect, known) for turn in each.turns]
    stubs = {
        name: [stub.model_dump(mode="json", exclude_defaults=True) for stub in stubs]
        for name, stubs in suite.stubs.items()
    }
    attached = {file.file for each in suite.conversations for turn in each.turns for file in turn.attach}
    digests = {file: digest_of_file(suite.source.parent / file) for file in sorted(attached)}
    yield {"stubs": stubs, "attached": digests}
    if suite.faults is not None:
        yield {"faults": digest_of_file(suite.faults)}


_BESIDE: dict[str, Any] = {
    **dict.fromkeys(("cluster", "tags", "repeats"), True),
    "turns": {"__all__": {"expect"}},
}


def _expected(expect: Expect, known: dict[int, str]) -> str:
    """The digest of what a turn expects, taken once of expectations that many turns share."""
    if id(expect) not in known:
        dumped = expect.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        known[id(expect)] = digest_of(dumped)
    return known[id(expect)]
