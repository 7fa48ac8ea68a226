"""Models."""

from __future__ import annotations

from harness.server.description.records import Operation, Section
from harness.server.description.schema import TIME, always, gives, listed, ref, text

_MODEL = gives({"id": text(least=1), "object": always("model"), "created": TIME, "owned_by": text()})
_LIST = gives({"object": always("list"), "data": listed(ref("Model"))})
_DELETED = gives({"id": text(), "object": always("model"), "deleted": {"type": "boolean"}})

SECTION = Section(
    title="Models",
    operations=(
        Operation("GET", "/models", "The names in the model table.", gives=_LIST, refuses=()),
        Operation("GET", "/models/{model}", "One model.", gives=ref("Model")),
        Operation(
            "DELETE",
            "/models/{model}",
            "Always refused: the model table is not changed over the API.",
            gives=_DELETED,
            refuses=(403, 404),
        ),
    ),
    schemas={"Model": _MODEL},
)
