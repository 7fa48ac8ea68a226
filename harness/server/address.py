"""Where a call goes: paths as clients of the hosted API and of Azure's copy of it write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_AZURE = re.compile(r"/openai(?:/deployments/(?P<deployment>[^/]+))?(?P<path>/.*)?")
_OF_DEPLOYMENTS = ("/chat/completions", "/completions", "/embeddings")
_VERSION = re.compile(r"/v1(?P<path>/.*)?")


@dataclass(frozen=True, slots=True)
class Address:
    """What a path asks for.

    Attributes:
        path: Without version prefix and without a slash at its end, for example ``/threads/thread_x``.
        deployment: The model that the path itself names, as Azure's clients do for completions; what else
            lies under a deployment is that of every other.
    """

    path: str
    deployment: str | None = None


def address(path: str) -> Address:
    """The address in a path, whichever prefix (``/v1``, ``/openai``, ``/openai/deployments/NAME``) it has."""
    azure = _AZURE.fullmatch(path)
    if azure is not None:
        path = azure["path"] or "/"
    version = _VERSION.fullmatch(path)
    if version is not None:
        path = version["path"] or "/"
    path = path.rstrip("/") or "/"
    return Address(path, azure["deployment"] if azure and path in _OF_DEPLOYMENTS else None)
