"""What every test gets: no network beyond this machine, and no settings from the developer's own."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Answers of embedded servers are compared with the description of the server, whatever a test is about.
pytest_plugins = ["described"]

# How long an example takes says nothing about whether it is right, and CI machines are busy. A test that
# names health checks of its own replaces these, and names this one again. Examples are the same in every run:
# a change that breaks nothing never meets a new one. `make examples` looks for others.
_ANY_PACE = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("harness", _ANY_PACE, derandomize=True)
settings.register_profile("search", _ANY_PACE, derandomize=False)
settings.load_profile("harness")

# Variables of the developer's shell, of a CI system and of a git hook change nothing: neither settings nor
# proxies, branches nor colours. They go before the first server of a test is started.
_NOT_OURS = re.compile(
    r"(?!HARNESS_TEST_)(HARNESS|OPENAI|AZURE_OPENAI|GITHUB|GITLAB|CI|GIT)_\w+|CI|BRANCH_NAME|PYTEST_ADDOPTS"
    r"|(HTTP|HTTPS|ALL|NO)_PROXY|PG[A-Z]+|COLUMNS|LINES|(NO|FORCE|PY)_COLORS?|CLICOLOR(_FORCE)?",
    re.IGNORECASE,
)
for _name in [name for name in os.environ if _NOT_OURS.fullmatch(name)]:
    del os.environ[_name]

_LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0", ""}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any connection that would leave this machine fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in _LOOPBACK:
            pytest.fail(f"a test tried to reach the network: {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop is as good as a server."""
    # Tests run code of their own alone, also where a laptop has no isolation to offer.
    monkeypatch.setenv("HARNESS_ALLOW_UNISOLATED_CODE", "1")
