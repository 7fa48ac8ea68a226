"""Paths as clients of the hosted API and of Azure's copy of it write them."""

from __future__ import annotations

import pytest

from harness.server.address import Address, address


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/v1/threads/thread_x", "/threads/thread_x"),
        ("/threads/thread_x/", "/threads/thread_x"),
        ("/openai/assistants", "/assistants"),
        ("/openai/v1/responses", "/responses"),
        ("/openai/deployments/mine/assistants", "/assistants"),
        ("/openai/v1/", "/"),
        ("/openai", "/"),
        ("/v1", "/"),
        ("/", "/"),
        ("", "/"),
        ("/openaix/assistants", "/openaix/assistants"),
        ("/v10/models", "/v10/models"),
    ],
)
def test_version_and_azure_prefixes_may_stand_in_front_or_not(path: str, plain: str) -> None:
    assert address(path) == Address(plain)


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/embeddings"])
def test_a_deployment_in_the_path_names_the_model_of_completions(path: str) -> None:
    assert address(f"/openai/deployments/mine{path}") == Address(path, "mine")
