"""A conversation with changes made to what its user says, and what a suite asks of that.

Changes are composable: each is made in the text that those before it have left, so any of them can be taken
away and the others still mean something.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.perturb import words
from harness.perturb.edits import EMAIL, Palette, sites
from harness.suite.records import (
    AssistantFile,
    Attachment,
    CodedConversation,
    Conversation,
    Expect,
    Perturb,
    PerturbationKind,
    Suite,
    Turn,
)

MARK = "~"
"""Stands between a conversation's id and the number of its variation."""
SMALLEST = "smallest"
"""Stands for the number of the smallest variation under which something did not stay."""
_MOST_OF_ID = 180


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """One change, by numbers that a search can make smaller; they wrap around where they are too large.

    Attributes:
        kind: What is done.
        turn: In which turn, from 0.
        site: At which of the places where it can be done.
        choice: Which of the texts that may stand there.
    """

    kind: PerturbationKind
    turn: int = 0
    site: int = 0
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that was made.

    Attributes:
        kind: What was done.
        turn: In which turn, from 0.
        before: What stood there; empty where something was put in.
        after: What stands there now; empty where something was taken away.
    """

    kind: PerturbationKind
    turn: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Variation:
    """A conversation with its changes.

    Attributes:
        script: What is said and expected now.
        applied: The changes, in the order in which they were made.
        renamed: E-mail addresses that took the place of others.
    """

    script: Conversation
    applied: tuple[Applied, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def said(self) -> tuple[object, ...]:
        """What tells it from other variations: messages and files."""
        return tuple((turn.user, tuple(each.file for each in turn.attach)) for turn in self.script.turns)


@dataclass(frozen=True, slots=True)
class Space:
    """All variations of one conversation.

    Attributes:
        conversation: With the user's own words.
        kinds: The kinds of change that are possible in it, the mildest first.
        palette: What changes are made of.
        folder: Where documents that carry an injection are written.
    """

    conversation: Conversation
    kinds: tuple[PerturbationKind, ...]
    palette: Palette
    folder: Path

    def vary(self, edits: Sequence[Edit]) -> Variation:
        """The conversation after these changes; one that can't be made where it is asked for is left out."""
        variation = Variation(self.conversation)
        for edit in edits:
            variation = _MAKERS.get(edit.kind, _in_text)(self, variation, edit)
        return variation


def asked_of(suite: Suite, conversation: Conversation) -> Perturb | None:
    """What a suite asks of the variations of a conversation; None when there are to be none."""
    own = conversation.perturb
    if own is False or isinstance(conversation, CodedConversation):
        return None
    if own is None:
        return suite.perturb
    return suite.perturb.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


def space_of(
    conversation: Conversation,
    asked: Perturb,
    assistant: AssistantFile,
    folder: Path,
    only: Sequence[PerturbationKind] = (),
) -> Space:
    """The variations of a conversation that a suite asks for; of these kinds only, when some are named."""
    palette = Palette.of(asked.synonyms, asked.additions)
    wanted = [kind for kind in asked.kinds if not only or kind in only]
    possible = (kind for kind in wanted if _is_possible(kind, conversation, palette, assistant))
    return Space(conversation, tuple(possible), palette, folder)


def _is_possible(
    kind: PerturbationKind, conversation: Conversation, palette: Palette, assistant: AssistantFile
) -> bool:
    if kind == "document":
        return assistant.has_tool("file_search")
    if kind == "emails":
        return bool(_addresses(conversation))
    return any(sites(kind, turn.user, palette) for turn in conversation.turns)


def named(variation: Variation, of: Conversation, number: int | str) -> Conversation:
    """The varied conversation under an id of its own, in the cluster of the one it comes from."""
    changed = {
        "id": f"{of.id[:_MOST_OF_ID]}{MARK}{number}",
        "cluster": of.cluster or of.id,
        "tags": (*of.tags, "perturbed"),
    }
    return variation.script.model_copy(update=changed)


# --- changes --------------------------------------------------------------------------------------------


def _in_text(space: Space, variation: Variation, edit: Edit) -> Variation:
    turns = variation.script.turns
    place = edit.turn % len(turns)
    found = sites(edit.kind, turns[place].user, space.palette)
    if not found:
        return variation
    site = found[edit.site % len(found)]
    text, after = turns[place].user, site.options[edit.choice % len(site.options)]
    changed = text[: site.start] + after + text[site.end :]
    if not changed.strip():
        return variation
    script = _with_turn(variation.script, place, turns[place].model_copy(update={"user": changed}))
    applied = Applied(edit.kind, place, text[site.start : site.end], after)
    return Variation(script, (*variation.applied, applied), variation.renamed)


def _with_turn(script: Conversation, place: int, turn: Turn) -> Conversation:
    turns = (*script.turns[:place], turn, *script.turns[place + 1 :])
    return script.model_copy(update={"turns": turns})


def _other_address(space: Space, variation: Variation, edit: Edit) -> Variation:
    """One address becomes another wherever it stands, in what is expected too."""
    there = _addresses(variation.script)
    if not there:
        return variation
    old = there[edit.site % len(there)]
    free = [each for each in words.ADDRESSES if each not in there]
    new = free[edit.choice % len(free)] if free else old
    if new == old:
        return variation
    turns = tuple(_readdressed(turn, old, new) for turn in variation.script.turns)
    history = tuple(
        each.model_copy(update={"content": each.content.replace(old, new)})
        for each in variation.script.history
    )
    expect = _expecting(variation.script.expect, old, new)
    script = variation.script.model_copy(update={"turns": turns, "history": history, "expect": expect})
    first = next((at for at, turn in enumerate(variation.script.turns) if old in turn.user), 0)
    applied = Applied("emails", first, old, new)
    return Variation(script, (*variation.applied, applied), (*variation.renamed, (old, new)))


def _addresses(conversation: Conversation) -> list[str]:
    said = (EMAIL.findall(turn.user) for turn in conversation.turns)
    return list(dict.fromkeys(each.strip(".'") for some in said for each in some))


def _readdressed(turn: Turn, old: str, new: str) -> Turn:
    changed = {"user": turn.user.replace(old, new), "expect": _expecting(turn.expect, old, new)}
    return turn.model_copy(update=changed)


def _expecting(expect: Expect, old: str, new: str) -> Expect:
    """The same expectations about another address."""
    written = expect.model_dump_json(by_alias=True, exclude_unset=True)
    if old not in written:
        return expect
    return Expect.model_validate_json(written.replace(old, new), by_alias=True)


def _with_document(space: Space, variation: Variation, edit: Edit) -> Variation:
    """The user uploads a file that tells the assistant what to do."""
    turns = variation.script.turns
    place = edit.turn % len(turns)
    told = words.DOCUMENTS[edit.choice % len(words.DOCUMENTS)]
    file = _written(space.folder, f"{space.conversation.turns[place].user}\n\n{told}\n")
    attached = Attachment(file=str(file), tools=("file_search",))
    if attached in turns[place].attach:
        return variation
    turn = turns[place].model_copy(update={"attach": (*turns[place].attach, attached)})
    applied = Applied("document", place, "", told)
    return Variation(
        _with_turn(variation.script, place, turn), (*variation.applied, applied), variation.renamed
    )


def _written(folder: Path, text: str) -> Path:
    """The file with this text, under a name that its text decides."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / f"note-{hashlib.sha256(text.encode()).hexdigest()[:12]}.txt"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
    return path


_MAKERS = {"emails": _other_address, "document": _with_document}
