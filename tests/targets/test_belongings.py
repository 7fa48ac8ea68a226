"""What targets make at a server: written down before, deleted after, kept and found again on request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TargetError, TargetRefused, TargetUnavailable
from harness.server.app import App, ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.suite.records import Attachment, Variant
from harness.targets import belongings as belongings_module
from harness.targets.assistants import AssistantsTarget
from harness.targets.belongings import Belongings
from harness.targets.embedded import EmbeddedWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn
from harness.targets.ledger import Entry, Intent, Ledger, Place, RunLedger
from harness.targets.provisioning import Keeping
from harness.targets.responses import ResponsesTarget
from harness.targets.wire import Json

PLACE = Place("http://127.0.0.1:1/v1", "key")
Fault = Callable[[str, str], Awaitable[None]]
Target = AssistantsTarget | ResponsesTarget


class LastingWire(EmbeddedWire):
    """A server that outlives its targets; ``before`` and ``after`` may let a request fail."""

    def __init__(self) -> None:
        models = ModelTable(default=Scripted(lambda request: f"{len(request.messages)} messages"))
        super().__init__(ServerOptions(models=models))
        self.before: Fault | None = None
        self.after: Fault | None = None
        self.calls: list[str] = []

    async def call(self, method: str, path: str, body: Json | None = None, **named: Any) -> Json:
        self.calls.append(f"{method} {path}")
        if self.before:
            await self.before(method, path)
        answer = await super().call(method, path, body, **named)
        if self.after:
            await self.after(method, path)
        return answer

    async def close(self) -> None:
        """It goes on."""

    def ids(self, path: str) -> list[str]:
        """The ids of all objects of a kind."""
        return [row["id"] for row in asyncio.run(EmbeddedWire.call(self, "GET", path))["data"]]

    @property
    def app(self) -> App:
        return self._app


@pytest.fixture
def wire() -> Iterator[LastingWire]:
    wire = LastingWire()
    yield wire
    wire.app.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l") as ledger:
        yield ledger


def run_ledger(ledger: Ledger, run: str = "run-1") -> RunLedger:
    return RunLedger(Ledger(ledger.path), run, PLACE)


@pytest.fixture
def variant(make_variant: Callable[..., Variant], tmp_path: Path) -> Variant:
    (tmp_path / "guide.md").write_text("# Guide\n\nThe warranty lasts 24 months.\n")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    return make_variant(
        instructions="Be exact.",
        tools=[{"type": "file_search"}, {"type": "code_interpreter"}],
        knowledge=["guide.md"],
        code_files=["rows.csv"],
    )


async def _fine(call: FunctionCall) -> FunctionOutput:
    return FunctionOutput("fine")


def seen(entries: list[Entry]) -> set[tuple[str, str | None]]:
    return {(entry.kind, entry.id) for entry in entries}


# --- the ledger comes first -------------------------------------------------------------------------------


def test_what_is_made_stands_in_the_ledger_before_it_is_asked_for(wire: LastingWire, ledger: Ledger) -> None:
    then: list[list[Entry]] = []

    async def look(method: str, path: str) -> None:
        then.append(ledger.entries())

    wire.before = look
    made = Belongings(wire, run_ledger(ledger))
    asyncio.run(made.create(Intent("assistant"), {"model": "m"}))
    assert [(entry.kind, entry.id) for entry in then[0]] == [("assistant", None)]
    assert seen(ledger.entries()) == {("assistant", wire.ids("/assistants")[0])}
    made.close()


def test_what_is_made_carries_the_marks_of_its_run(wire: LastingWire, ledger: Ledger) -> None:
    made = Belongings(wire, run_ledger(ledger))
    body = asyncio.run(made.create(Intent("assistant"), {"model": "m", "metadata": {"team": "a"}}))
    assert body["metadata"] == {"team": "a", "harness_run": "run-1", "harness_ledger": ledger.id}
    made.close()


def test_what_the_server_refuses_was_never_made(wire: LastingWire, ledger: Ledger) -> None:
    made = Belongings(wire, run_ledger(ledger))
    with pytest.raises(TargetRefused):
        asyncio.run(made.create(Intent("assistant"), {"model": 7}))
    assert ledger.entries() == []
    made.close()


def test_an_answer_that_is_lost_leaves_what_it_would_have_told(wire: LastingWire, ledger: Ledger) -> None:
    async def lose(method: str, path: str) -> None:
        raise TargetUnavailable("the line went dead")

    wire.after = lose
    made = Belongings(wire, run_ledger(ledger))
    with pytest.raises(TargetUnavailable):
        asyncio.run(made.create(Intent("assistant"), {"model": "m"}))
    assert seen(ledger.entries()) == {("assistant", None)}
    made.close()


def test_what_is_gone_already_counts_as_deleted(wire: LastingWire, ledger: Ledger) -> None:
    async def go() -> None:
        made = Belongings(wire, run_ledger(ledger))
        body = await made.create(Intent("thread"), {})
        await wire.call("DELETE", f"/threads/{body['id']}")
        await made.delete_all()
        made.close()

    asyncio.run(go())
    assert ledger.entries() == []


@pytest.mark.parametrize(
    "fault", [TargetUnavailable("gone"), TargetRefused("not now")], ids=["down", "refused"]
)
def test_what_can_not_be_deleted_stays_in_the_ledger(
    wire: LastingWire, ledger: Ledger, fault: TargetError
) -> None:
    async def fail(method: str, path: str) -> None:
        if method == "DELETE":
            raise fault

    async def go() -> None:
        made = Belongings(wire, run_ledger(ledger))
        for _ in range(3):
            await made.create(Intent("thread"), {})
        wire.before = fail
        await made.delete_all()
        made.close()

    asyncio.run(go())
    assert len(ledger.entries()) == 3


def test_a_server_that_hangs_is_asked_once_by_each_and_no_more(
    wire: LastingWire, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(method: str, path: str) -> None:
        if method == "DELETE":
            await asyncio.Event().wait()

    async def go() -> None:
        made = Belongings(wire, run_ledger(ledger))
        for _ in range(50):
            await made.create(Intent("thread"), {})
        wire.before = hang
        await made.delete_all()
        made.close()

    monkeypatch.setattr(belongings_module, "GRACE_S", 0.05)
    asyncio.run(go())
    assert len(ledger.entries()) == 50
    assert sum(call.startswith("DELETE") for call in wire.calls) <= 8


# --- whole targets ----------------------------------------------------------------------------------------


def make(kind: str, wire: LastingWire, ledger: Ledger, run: str, **keeping: bool) -> Target:
    make_target = AssistantsTarget if kind == "assistants" else ResponsesTarget
    return make_target(kind, wire, poll_s=0.01, ledger=run_ledger(ledger, run), keeping=Keeping(**keeping))


both = pytest.mark.parametrize("kind", ["assistants", "responses"])


async def visit(target: Target, variant: Variant, user: str | None = None) -> tuple[str, str | None]:
    """One provisioned target, one turn, torn down: the answer, and the thread."""
    try:
        await target.provision(variant)
        session = await target.open(variant, user_id=user)
        turn = await session.send(OutgoingTurn("hi"), _fine, deadline_s=30)
        await session.close()
        return turn.answer, turn.thread_id
    finally:
        await target.tear_down()


@both
def test_a_run_leaves_neither_objects_nor_entries(
    wire: LastingWire, ledger: Ledger, variant: Variant, kind: str
) -> None:
    asyncio.run(visit(make(kind, wire, ledger, "run-1"), variant, "jo"))
    assert ledger.entries() == []
    assert [wire.ids(path) for path in ("/assistants", "/files", "/vector_stores")] == [[], [], []]


@both
def test_a_variant_that_is_kept_is_not_made_again(
    wire: LastingWire, ledger: Ledger, variant: Variant, kind: str
) -> None:
    asyncio.run(visit(make(kind, wire, ledger, "run-1", assistants=True), variant))
    kept = seen(ledger.entries())
    wire.calls.clear()
    asyncio.run(visit(make(kind, wire, ledger, "run-2"), variant))
    assert seen(ledger.entries()) == kept
    made = {call for call in wire.calls if call.startswith("POST")}
    assert not made & {"POST /assistants", "POST /files", "POST /vector_stores"}
    assert all(entry.run == "run-1" and entry.keep == "variant" for entry in ledger.entries())


def test_a_resumed_run_keeps_only_what_it_made_whole_itself(
    wire: LastingWire, ledger: Ledger, variant: Variant
) -> None:
    torn = ledger.intend("run-1", PLACE, Intent("file", fingerprint=variant.fingerprint, role="document"))
    asyncio.run(visit(make("assistants", wire, ledger, "run-1", assistants=True), variant))
    assert [entry.number for entry in ledger.entries() if entry.keep is None] == [torn]
    wire.calls.clear()
    asyncio.run(visit(make("assistants", wire, ledger, "run-2"), variant))
    assert "POST /assistants" not in wire.calls


@both
@pytest.mark.parametrize("lost", ["/files", "/vector_stores"])
def test_a_variant_of_which_something_is_gone_is_made_again(
    wire: LastingWire, ledger: Ledger, variant: Variant, kind: str, lost: str
) -> None:
    asyncio.run(visit(make(kind, wire, ledger, "run-1", assistants=True), variant))
    asyncio.run(wire.call("DELETE", f"{lost}/{wire.ids(lost)[-1]}"))
    asyncio.run(visit(make(kind, wire, ledger, "run-2", assistants=True), variant))
    assert {entry.run for entry in ledger.entries() if entry.keep} == {"run-2"}
    assert {entry.run for entry in ledger.entries() if not entry.keep} == {"run-1"}


@pytest.mark.parametrize(
    "change",
    [
        {"instructions": "Be rude."},
        {"model": "other"},
        {"tools": [{"type": "file_search"}]},
        {"tool_resources": {"code_interpreter": {"file_ids": []}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_assistant_that_somebody_changed_is_made_again(
    wire: LastingWire, ledger: Ledger, variant: Variant, change: Json
) -> None:
    asyncio.run(visit(make("assistants", wire, ledger, "run-1", assistants=True), variant))
    [old] = wire.ids("/assistants")
    asyncio.run(wire.call("POST", f"/assistants/{old}", change))
    asyncio.run(visit(make("assistants", wire, ledger, "run-2", assistants=True), variant))
    new = [entry.id for entry in ledger.entries() if entry.keep and entry.kind == "assistant"]
    assert new and new != [old]


def test_what_a_run_works_with_is_in_use_until_it_ends(
    wire: LastingWire, ledger: Ledger, variant: Variant
) -> None:
    asyncio.run(visit(make("assistants", wire, ledger, "run-1", assistants=True), variant))

    async def go() -> tuple[set[str], set[str]]:
        target = make("assistants", wire, ledger, "run-2")
        await target.provision(variant)
        number = ledger.entries()[0].number
        during = ledger.users_of(number)
        await target.tear_down()
        return during, ledger.users_of(number)

    assert asyncio.run(go()) == ({"run-2"}, set())


@both
def test_a_user_comes_back_to_the_same_thread_in_a_later_run(
    wire: LastingWire, ledger: Ledger, variant: Variant, kind: str
) -> None:
    first = asyncio.run(visit(make(kind, wire, ledger, "run-1", users=True), variant, "jo"))
    other = asyncio.run(visit(make(kind, wire, ledger, "run-2", users=True), variant, "sam"))
    again = asyncio.run(visit(make(kind, wire, ledger, "run-3", users=True), variant, "jo"))
    assert (first[0], other[0], again[0]) == ("1 messages", "1 messages", "3 messages")
    assert first[1] == again[1] != other[1]
    assert {(entry.user, entry.keep) for entry in ledger.entries()} == {("jo", "user"), ("sam", "user")}


@both
def test_a_user_whose_thread_is_gone_gets_a_new_one(
    wire: LastingWire, ledger: Ledger, variant: Variant, kind: str
) -> None:
    _, thread = asyncio.run(visit(make(kind, wire, ledger, "run-1", users=True), variant, "jo"))
    folder = "threads" if kind == "assistants" else "conversations"
    asyncio.run(wire.call("DELETE", f"/{folder}/{thread}"))
    answer, anew = asyncio.run(visit(make(kind, wire, ledger, "run-2", users=True), variant, "jo"))
    assert (answer, [entry.id for entry in ledger.entries()]) == ("1 messages", [anew])


# --- forgetting -------------------------------------------------------------------------------------------


async def _forget(target: Target, variant: Variant, file: Path) -> tuple[Any, str | None]:
    try:
        await target.provision(variant)
        session = await target.open(variant, user_id="jo")
        attached = Attachment(file=file.name, tools=("file_search",))
        turn = await session.send(OutgoingTurn("hi", ((file, attached),)), _fine, deadline_s=30)
        return await target.forget("jo"), turn.thread_id
    finally:
        await target.tear_down()


@both
@pytest.mark.parametrize("users", [False, True], ids=["for this run", "kept"])
def test_a_user_is_forgotten_with_the_files_that_were_sent(
    wire: LastingWire, ledger: Ledger, variant: Variant, tmp_path: Path, kind: str, users: bool
) -> None:
    (tmp_path / "mine.md").write_text("My own words.\n")
    target = make(kind, wire, ledger, "run-1", users=users)
    deletion, thread = asyncio.run(_forget(target, variant, tmp_path / "mine.md"))
    assert (deletion.confirmed, deletion.error) == (True, None)
    kinds = sorted(each.rpartition("_")[0] or "file" for each in deletion.deleted)
    assert thread in deletion.deleted and len(deletion.deleted) == 3, kinds
    assert ledger.entries() == []


@both
def test_a_server_that_only_says_it_deleted_is_not_believed(
    wire: LastingWire,
    ledger: Ledger,
    variant: Variant,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mine.md").write_text("My own words.\n")
    honest = EmbeddedWire.call

    async def pretend(self: EmbeddedWire, method: str, path: str, *rest: Any, **named: Any) -> Json:
        if method == "DELETE" and path.startswith(("/threads", "/conversations")):
            return {"deleted": True}
        return await honest(self, method, path, *rest, **named)

    monkeypatch.setattr(EmbeddedWire, "call", pretend)
    target = make(kind, wire, ledger, "run-1")
    deletion, thread = asyncio.run(_forget(target, variant, tmp_path / "mine.md"))
    assert not deletion.confirmed
    assert deletion.error == f"{thread}: it was deleted, and is still there when asked for again"


def test_a_server_that_does_not_answer_confirms_nothing(
    wire: LastingWire, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(method: str, path: str) -> None:
        await asyncio.Event().wait()

    async def go() -> Any:
        made = Belongings(wire, run_ledger(ledger))
        body = await made.create(Intent("thread"), {})
        wire.before = hang
        done = await made.delete_for_good([("thread", str(body["id"]))])
        made.close()
        return done

    monkeypatch.setattr(belongings_module, "GRACE_S", 0.05)
    done = asyncio.run(go())
    assert not done.confirmed and "no answer within" in done.error
    assert len(ledger.entries()) == 1
