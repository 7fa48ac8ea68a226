"""Charts and diagrams inside Office files: their text is in parts of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.server.reading import tables
from harness.server.reading.office import Package, Relation, child, local, relation_id


def texts(element: Any, package: Package, relations: dict[str, Relation]) -> Iterator[str]:
    """The text of every chart and diagram that an element refers to."""
    for each in element.iter():
        name = local(each)
        if name == "chart" and relation_id(each) in relations:
            yield _chart(package.xml(relations[relation_id(each)].target))
        elif name == "relIds" and relation_id(each, "dm") in relations:
            yield _diagram(package.xml(relations[relation_id(each, "dm")].target))


def _diagram(root: Any) -> str:
    """Every box of a diagram as a list item."""
    points = [] if root is None else [point for point in root.iter() if local(point) == "pt"]
    boxes = (" ".join(_runs(point).split()) for point in points)
    return "\n".join(f"- {box}" for box in boxes if box)


def _runs(element: Any) -> str:
    return " ".join(
        "".join(run.text or "" for run in each.iter() if local(run) == "t") for each in _paragraphs(element)
    )


def _paragraphs(element: Any) -> list[Any]:
    return [each for each in element.iter() if local(each) == "p"]


def _chart(root: Any) -> str:
    """The title, and the values as a table with a column for each series."""
    if root is None:
        return ""
    titles = [_runs(each) for each in root.iter() if local(each) == "title"]
    series = [each for each in root.iter() if local(each) == "ser"]
    names = [" ".join(_points(child(each, "tx"))) for each in series]
    columns = [_points(_first(each, "val", "yVal")) for each in series]
    labels = _points(_first(series[0], "cat", "xVal")) if series else []
    length = max(map(len, [labels, *columns]))
    rows = [["", *names]] if any(names) else []
    rows += [[_at(column, place) for column in [labels, *columns]] for place in range(length)]
    return "\n".join([*filter(None, titles), *(tables.row_text(row).strip(" |") for row in rows)])


def _first(element: Any, *names: str) -> Any:
    return next((each for each in element if local(each) in names), None)


def _points(element: Any) -> list[str]:
    """The values that were shown when the file was saved."""
    return [] if element is None else [each.text or "" for each in element.iter() if local(each) == "v"]


def _at(column: list[str], place: int) -> str:
    return column[place] if place < len(column) else ""
