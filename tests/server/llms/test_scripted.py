"""Scripted lines: in order, from a function, and a clear word when they run out."""

from __future__ import annotations

import threading

import pytest

from harness.server.llms.interface import ModelError, ModelReply, ModelRequest
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

REQUEST = ModelRequest(model="m", instructions="", messages=())


def test_lines_are_said_in_order_and_then_a_clear_error() -> None:
    model = Scripted(["one", ModelReply("two")])
    assert [model.complete(REQUEST).content for _ in range(2)] == ["one", "two"]
    with pytest.raises(ModelError, match=r"2 lines and was asked for line 3; add a line") as caught:
        model.complete(REQUEST)
    assert caught.value.code == "server_error"


def test_a_cycling_script_begins_again() -> None:
    model = Scripted(["one", "two"], cycle=True)
    assert [model.complete(REQUEST).content for _ in range(5)] == ["one", "two", "one", "two", "one"]


def test_an_empty_script_has_nothing_to_cycle() -> None:
    with pytest.raises(ModelError, match="0 lines"):
        Scripted([], cycle=True).complete(REQUEST)


def test_a_function_sees_the_request() -> None:
    model = Scripted(lambda request: f"I am {request.model}.")
    assert model.complete(REQUEST).content == "I am m."
    assert list(model.requests) == [REQUEST]


def test_tool_calls_are_easily_written() -> None:
    reply = calls(function_call("f", name="x"), file_search("a", "b"), run_code("1"), content="Now.")
    assert [request.kind for request in reply.tool_requests] == [
        "function",
        "file_search",
        "code_interpreter",
    ]
    assert [request.arguments for request in reply.tool_requests] == [
        {"name": "x"},
        {"queries": ["a", "b"]},
        {"input": "1"},
    ]
    assert reply.content == "Now."


def test_no_line_is_said_twice_when_many_ask_at_once() -> None:
    model = Scripted([str(number) for number in range(400)])
    said: list[str] = []
    workers = [
        threading.Thread(target=lambda: said.extend(model.complete(REQUEST).content for _ in range(50)))
        for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(said, key=int) == [str(number) for number in range(400)]
