"""The page that says of each endpoint and field whether it is done, without effect, or not done."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from harness.server.description.document import SECTIONS, document
from harness.server.description.fields import FieldOf, fields_of
from harness.server.description.records import Operation, Section
from harness.server.description.schema import NO_EFFECT, Schema

COMMAND = "python -m harness.server.description docs/server-coverage.md"
_HEAD = f"""\
# What the embedded server covers

Made from the server's own description (`GET /openapi.json`) by `make sample`, which calls
`{COMMAND}`. A test fails when it is stale, when a
route has no description, when the server takes or gives something else than described, and when the openai
package can send a field that is named nowhere here.

*Done* fields do what they do on the hosted API. Those *without effect* are checked and often echoed, and
change nothing here. What is *not done* is refused with 400 and `unknown_parameter` or `invalid_value`, or is
an address that answers 404. Inside names, `[]` is each item of a list, `<kind>` an object of that `type`. Of
fields inside others only those that are not done or without effect are named. Options of the model, such as
`temperature`, count as done: a model behind the server is given them, and the built-in one answers alike
whatever they are.
"""
_ELSEWHERE = """\
## Not part of this server

Audio, images, videos, batches of requests, fine-tuning, evals, moderations, realtime sessions, webhooks,
uploads in parts, skills, ChatKit and the administration of organisations answer 404 with `unknown_url`.
"""


def page() -> str:
    """The whole page, as Markdown."""
    schemas = document()["components"]["schemas"]
    parts = [_HEAD, _numbers(schemas), *(_section(each, schemas) for each in SECTIONS), _ELSEWHERE]
    return "\n".join(parts)


def _numbers(schemas: dict[str, Any]) -> str:
    rows = [
        "| | endpoints done | outer fields done | without effect | not done |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for section in SECTIONS:
        done, idle, missing = 0, 0, 0
        for operation in section.operations:
            outer = [field for field in _fields(operation, schemas) if not _is_inner(field.name)]
            idle += sum(field.no_effect is not None for field in outer)
            done += sum(field.no_effect is None for field in outer)
            missing += sum(not _is_inner(name) for name in operation.not_done)
        rows.append(f"| {section.title} | {len(section.operations)} | {done} | {idle} | {missing} |")
    return "\n".join(rows) + "\n"


def _fields(operation: Operation, schemas: Mapping[str, Schema]) -> list[FieldOf]:
    """Every field once, query parameters first; one that has an effect somewhere is done."""
    found: dict[str, FieldOf] = {}
    for field in (*_of_query(operation), *_of_bodies(operation, schemas)):
        before = found.get(field.name)
        if before is None or field.no_effect is None:
            found[field.name] = field
    return list(found.values())


def _of_query(operation: Operation) -> Iterator[FieldOf]:
    for parameter in operation.query:
        if not parameter.name.endswith("[]"):
            yield FieldOf(f"?{parameter.name}", parameter.schema.get(NO_EFFECT), False)


def _of_bodies(operation: Operation, schemas: Mapping[str, Schema]) -> Iterator[FieldOf]:
    for schema in (operation.form, operation.body):
        if schema is not None:
            yield from fields_of(schema, schemas)


def _section(section: Section, schemas: Mapping[str, Schema]) -> str:
    lines = [f"## {section.title}\n"]
    for operation in section.operations:
        lines += _operation(operation, schemas)
    if section.not_done:
        lines.append("Endpoints that are not done:\n")
        lines += [f"- `{name}`: {why}" for name, why in section.not_done.items()]
        lines.append("")
    return "\n".join(lines)


def _operation(operation: Operation, schemas: Mapping[str, Schema]) -> Iterator[str]:
    streams = " Streams." if operation.events else ""
    yield f"**{operation.method} {operation.path}**: {operation.summary}{streams}\n"
    fields = _fields(operation, schemas)
    plain = [field.name for field in fields if field.no_effect is None and not _is_inner(field.name)]
    lines = []
    if plain:
        lines.append(f"- done: {_listed(plain)}")
    without = {field.name: field.no_effect for field in fields if field.no_effect is not None}
    done = {_untagged(field.name) for field in fields if field.no_effect is None}
    lines += [f"- without effect: {_listed(names)} ({why})" for why, names in _by_reason(without, done)]
    lines += [f"- not done: {_listed(names)} ({why})" for why, names in _by_reason(operation.not_done, done)]
    if lines:
        yield "\n".join(lines) + "\n"


def _is_inner(name: str) -> bool:
    return any(sign in name for sign in ".<")


def _by_reason(reasons: Mapping[str, str], done: Collection[str]) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for name, why in reasons.items():
        grouped.setdefault(why, []).append(name)
    return [(why, list(_shortened(names, done))) for why, names in grouped.items()]


def _shortened(names: Iterable[str], done: Collection[str]) -> Iterator[str]:
    """What all kinds of objects have alike is named once, without the kinds."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_untagged(name), []).append(name)
    for plain, group in alike.items():
        yield from group if len(group) == 1 or plain in done else [plain]


def _untagged(name: str) -> str:
    """A name without the kinds, but for one that it ends with."""
    return re.sub(r"<\w+>(?=.*\.)", "", name)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
