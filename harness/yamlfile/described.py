"""What the fields of a record mean, in the words that stand beneath each in its source.

Reading the source takes long, so it is read when somebody asks: for a JSON Schema, or to explain a mistake.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def descriptions(record: type[BaseModel]) -> dict[str, str]:
    """What each field means, by the key that stands for it in a file."""
    written: dict[str, str] = {}
    for base in reversed(record.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            written |= _in_source(base)
    fields = record.model_fields.items()
    told = ((field.alias or name, field.description or written.get(name)) for name, field in fields)
    return {key: text for key, text in told if text}


def _in_source(record: type[BaseModel]) -> dict[str, str]:
    try:
        source = inspect.getsource(record)
    except (OSError, TypeError):  # a program has made it, or a plugin whose source is not kept
        return {}
    (definition,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
