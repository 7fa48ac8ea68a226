"""Whether a value fits a JSON Schema; references to other documents are never fetched."""

from __future__ import annotations

from typing import Any

_SHOWN = 300  # characters of a message that is passed on


def schema_mismatch(value: Any, schema: dict[str, Any]) -> str | None:
    """How a value differs from a JSON Schema, the deepest difference first; None when it fits.

    A schema that can't be applied is told as such: it is never taken for one that fits.
    """
    from jsonschema import SchemaError
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        kind = validator_for(schema)
        kind.check_schema(schema)
        problem = best_match(kind(schema, registry=Registry()).iter_errors(value))
    except SchemaError as error:
        return f"the JSON Schema itself is not valid: {_short(error.message)}"
    except (Unresolvable, RecursionError) as error:
        return f"the JSON Schema cannot be applied: {_short(str(error))}"
    return f"{problem.json_path}: {_short(problem.message)}" if problem else None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
