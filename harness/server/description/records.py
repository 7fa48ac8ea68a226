"""One record for each thing that can be called: what it takes, what it gives, and what of it is not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.server.description.schema import Schema, always, choice, either, listed, text, whole

BYTES = "bytes"
"""In place of an answer's schema: the content of a file."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query.

    Attributes:
        name: As it stands in the address.
        schema: What it may be; an array stands for a parameter that may come several times.
        meaning: What it does, in one sentence.
    """

    name: str
    schema: Schema
    meaning: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    Attributes:
        method: HTTP method.
        path: Without the version prefix, ids in braces, as the route table has it.
        summary: What it does, in one sentence.
        gives: The schema of its answer, or ``BYTES``.
        body: The schema of its JSON body; None where it takes none.
        may_be_empty: The body may be left out.
        form: The schema of a multipart form that it takes, with the file in ``file``.
        query: Its query parameters.
        events: Schemas of the events that it streams, by event name; none where it streams none.
        refuses: Statuses of its error answers beside 400, 401 and 413.
        not_done: What the API has here and this server does not, by dotted name, each with the reason.
    """

    method: str
    path: str
    summary: str
    gives: Schema | str
    body: Schema | None = None
    may_be_empty: bool = False
    form: Schema | None = None
    query: tuple[Parameter, ...] = ()
    events: Mapping[str, Schema] = field(default_factory=dict)
    refuses: tuple[int, ...] = (404,)
    not_done: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """The operations on one noun of the API.

    Attributes:
        title: Its name for readers.
        operations: In the order of the route table.
        schemas: Named schemas of the objects that travel in them.
        not_done: Whole endpoints that the API has and this server does not, each with the reason.
    """

    title: str
    operations: tuple[Operation, ...]
    schemas: Mapping[str, Schema]
    not_done: Mapping[str, str] = field(default_factory=dict)


def one_of(*values: str) -> Schema:
    """One of a few values; an empty one stands for none."""
    return choice(*values, "")


def number_of(low: int, high: int) -> Schema:
    """A number; an empty value stands for none."""
    return either(whole(low, high), always(""))


ORDER = Parameter("order", one_of("asc", "desc"), "By time of creation; newest first unless said otherwise.")
AFTER = Parameter("after", text(), "Only what comes after the object of this id.")
BEFORE = Parameter("before", text(), "Only what comes before the object of this id.")


def paging(most: int = 100) -> tuple[Parameter, ...]:
    """The parameters of every list."""
    limit = Parameter("limit", number_of(1, most), "At most so many objects.")
    return limit, ORDER, AFTER, BEFORE


def include(*values: str) -> tuple[Parameter, ...]:
    """``include[]``, which may also come without its brackets."""
    meaning = "Parts that are shown only when they are asked for."
    one = listed(choice(*values))
    return Parameter("include[]", one, meaning), Parameter("include", one, meaning)
