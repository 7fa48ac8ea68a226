"""Talks that outgrow their model's window: what is remembered, for how long, and at whose cost."""

from __future__ import annotations

import random
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server import http as door
from harness.server.app import App, ServerOptions
from harness.server.engine.counting import count
from harness.server.llms.condense import condense
from harness.server.llms.interface import ModelError, ModelReply, ModelRequest
from harness.server.llms.models import ModelTable, extractive

FACT = "Hello, my name is Jo Marsh and my order number is ORD-48213. My e-mail is jo.marsh@example.com."
TOPICS = "exports invoices billing tickets storage projects folders members calendars reports".split()
USAGE = {"prompt_tokens": 1_500, "completion_tokens": 60}


def talk(length: int) -> list[dict[str, str]]:
    """A long thread with a fact at its beginning; the rest is chatter."""
    chance = random.Random(5)
    said = [{"role": "user", "content": FACT}]
    while len(said) < length - 1:
        one, other = chance.sample(TOPICS, 2)
        said.append(
            {"role": "assistant", "content": f"The {one} page lists your {other}, and it is open to all."}
        )
        said.append({"role": "user", "content": f"And what about {one} when the {other} are gone?"})
    return said[: length - 1]


def ask(
    api: Any, messages: list[dict[str, str]], question: str = "What is my order number?", **run: Any
) -> Any:
    """A thread of these messages and a run on it."""
    thread = api.post("/threads", {"messages": messages[:100]})["id"]
    more = [*messages[100:], {"role": "user", "content": question}]
    assistant = api.assistant(instructions="You are kind.")["id"]
    return api.run(thread, assistant, additional_messages=more, **run)


def test_of_five_hundred_messages_an_early_fact_is_still_known(make_api: Any) -> None:
    api = make_api(models=ModelTable(default=extractive()), context_tokens=2_000)
    run = ask(api, talk(500))
    assert run["status"] == "completed", run["last_error"]
    assert "ORD-48213" in api.answer(run["thread_id"])["content"][0]["text"]["value"]
    assert run["usage"]["prompt_tokens"] <= 2_000
    [step] = api.steps(run)
    assert step["metadata"]["summary_of"].endswith(" messages")
    assert int(step["metadata"]["summary_of"].split()[0]) > 400
    assert "ORD-48213" in step["metadata"]["summary"]
    assert len(step["metadata"]["summary"]) <= 512


def test_a_summary_is_the_same_every_time_and_used_again_in_the_next_run(make_api: Any) -> None:
    seen = []
    for _ in range(2):
        api = make_api(context_tokens=2_000)
        run = ask(api, talk(200))
        first = api.model.requests[0].messages
        seen.append([message.content for message in first])
        api.say(run["thread_id"], "And my name?")
        again = api.run(run["thread_id"], run["assistant_id"])
        second = api.model.requests[1].messages
        assert second[: len(first)] == first
        assert [message.content for message in second[len(first) :]] == ["Fine.", "And my name?"]
        assert api.steps(again)[0]["metadata"] == api.steps(run)[0]["metadata"]
    assert seen[0] == seen[1]


def test_a_summary_goes_on_from_the_earlier_one_and_keeps_its_facts(make_api: Any) -> None:
    api = make_api(context_tokens=2_000)
    run = ask(api, talk(200))
    counts = []
    for round_ in range(4):
        more = [*talk(60)[1:], {"role": "user", "content": f"Round {round_}?"}]
        run = api.run(run["thread_id"], run["assistant_id"], additional_messages=more)
        assert run["usage"]["prompt_tokens"] <= 2_000
        told, *_ = api.model.requests[-1].messages
        assert told.content.startswith(
            f"[Summary of {api.steps(run)[0]['metadata']['summary_of'].split()[0]} "
        )
        assert "ORD-48213" in told.content
        counts.append(int(api.steps(run)[0]["metadata"]["summary_of"].split()[0]))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_deleted_message_is_gone_from_the_summary_too(make_api: Any) -> None:
    api = make_api(context_tokens=2_000)
    run = ask(api, talk(200))
    assert "ORD-48213" in api.model.requests[0].messages[0].content
    [oldest] = api.get(f"/threads/{run['thread_id']}/messages", order="asc", limit=1)["data"]
    api.delete(f"/threads/{run['thread_id']}/messages/{oldest['id']}")
    api.say(run["thread_id"], "And now?")
    api.run(run["thread_id"], run["assistant_id"])
    told = " ".join(message.content for message in api.model.requests[1].messages)
    assert "[Summary of" in told
    assert "ORD-48213" not in told


@pytest.mark.parametrize(
    "options",
    [
        {"truncation_strategy": {"type": "last_messages", "last_messages": 5}},
        {"max_prompt_tokens": 600},
    ],
)
def test_last_messages_and_small_limits_never_summarise(make_api: Any, options: Any) -> None:
    api = make_api(context_tokens=2_000)
    run = ask(api, talk(200), **options)
    assert run["status"] == "completed"
    assert not any("[Summary" in message.content for message in api.model.requests[0].messages)
    assert api.steps(run)[0]["metadata"] == {}


def test_a_talk_that_fits_is_told_as_it_is(make_api: Any) -> None:
    api = make_api(context_tokens=100_000)
    ask(api, talk(200))
    assert len(api.model.requests[0].messages) == 200


class Summarising:
    """A model that summarises when it is asked to, and remembers what it was given for that."""

    def __init__(self, fails: bool = False) -> None:
        self.given: list[tuple[str, int]] = []
        self.requests: list[ModelRequest] = []
        self._fails = fails

    def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        return ModelReply("Fine.", usage={"prompt_tokens": 100, "completion_tokens": 2})

    def summarise(self, model: str, earlier: str, messages: Any, most_tokens: int) -> ModelReply:
        self.given.append((earlier, sum(count(each.content, model) for each in messages)))
        if self._fails:
            raise ModelError("rate_limit_exceeded", "busy")
        return ModelReply(f"Jo ordered ORD-48213 ({len(self.given)}).", usage=dict(USAGE))


def test_a_model_that_can_summarises_itself_at_its_own_cost_and_goes_on_from_there(make_api: Any) -> None:
    model = Summarising()
    api = make_api(models=ModelTable(default=model), context_tokens=2_000)
    run = ask(api, talk(400))
    [(earlier, read)] = model.given
    assert earlier == ""
    assert read < 2_000
    assert "ORD-48213 (1)" in model.requests[0].messages[0].content
    assert run["usage"]["prompt_tokens"] == 1_600
    assert run["usage"]["completion_tokens"] == 62
    assert api.steps(run)[0]["usage"]["prompt_tokens"] == 1_600
    api.say(run["thread_id"], "And?")
    assert api.run(run["thread_id"], run["assistant_id"])["usage"]["prompt_tokens"] == 100
    assert len(model.given) == 1
    more = [*talk(150)[1:], {"role": "user", "content": "And then?"}]
    api.run(run["thread_id"], run["assistant_id"], additional_messages=more)
    assert model.given[1][0] == "Jo ordered ORD-48213 (1)."


def test_limits_that_are_set_for_the_answer_are_not_spent_on_a_summary(make_api: Any) -> None:
    model = Summarising()
    api = make_api(models=ModelTable(default=model), context_tokens=2_000)
    run = ask(api, talk(200), max_prompt_tokens=1_500)
    assert model.given == []
    assert run["usage"]["prompt_tokens"] == 100
    assert "ORD-48213" in model.requests[0].messages[0].content


def test_where_no_summary_can_be_had_older_messages_are_dropped(
    make_api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    model = Summarising(fails=True)
    api = make_api(models=ModelTable(default=model), context_tokens=2_000)
    run = ask(api, talk(200))
    assert run["status"] == "completed"
    messages = model.requests[0].messages
    assert messages[0].content == FACT
    assert messages[-1].content == "What is my order number?"
    assert len(messages) < 200
    assert "could not be summarised" in caplog.text


def test_each_model_of_a_table_has_its_own_window(make_api: Any) -> None:
    model = Summarising()
    table = ModelTable(default=model, windows=[("small-*", 2_000), ("large", None)])
    api = make_api(models=table)
    ask(api, talk(200), model="small-1")
    assert len(model.requests[0].messages) < 200
    ask(api, talk(200), model="large")
    assert len(model.requests[1].messages) == 200


def items(length: int) -> list[dict[str, str]]:
    return [{"role": each["role"], "content": each["content"]} for each in talk(length)]


@pytest.mark.parametrize("kept_by", ["previous_response_id", "conversation"])
def test_responses_with_truncation_auto_remember_too(make_api: Any, kept_by: str) -> None:
    model = Summarising()
    api = make_api(models=ModelTable(default=model), context_tokens=2_000)
    link: dict[str, Any] = {}
    if kept_by == "conversation":
        link = {"conversation": api.post("/conversations", {})["id"]}
    body = {"model": "m", "truncation": "auto", **link}
    asked = [*items(200), {"role": "user", "content": "And?"}]
    first = api.post("/responses", {**body, "input": asked})
    assert first["usage"]["input_tokens"] == 1_600
    if kept_by == "previous_response_id":
        body["previous_response_id"] = first["id"]
    second = api.post("/responses", {**body, "input": "And then?"})
    assert second["usage"]["input_tokens"] == 100
    assert len(model.given) == 1
    assert "ORD-48213 (1)" in model.requests[1].messages[0].content
    status, error = api.refused("POST", "/responses", {**body, "truncation": "disabled", "input": "And?"})
    assert (status, error["code"]) == (400, "context_length_exceeded")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_real_client_reads_a_step_that_tells_of_a_summary() -> None:
    app = App(ServerOptions(models=ModelTable(default=extractive()), context_tokens=1_200))
    with door.background(app) as base_url, openai.OpenAI(base_url=base_url, api_key="any") as client:
        said: Any = talk(100)
        thread = client.beta.threads.create(messages=said)
        client.beta.threads.messages.create(thread.id, role="user", content="What is my order number?")
        assistant = client.beta.assistants.create(model="gpt-5.4")
        with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            stream.until_done()
            [step] = stream.get_final_run_steps()
            [message] = stream.get_final_messages()
    assert step.metadata is not None
    assert step.metadata["summary_of"].endswith(" messages")
    assert "ORD-48213" in message.content[0].text.value


@given(
    st.lists(st.text("abc XYZ0123.@!?\n", max_size=60), max_size=12),
    st.lists(st.text("abc XYZ.\n", max_size=40), max_size=6),
    st.integers(0, 120),
)
def test_what_is_kept_is_within_its_tokens_in_order_and_was_said(
    user: list[str], assistant: list[str], most: int
) -> None:
    kept = condense([user, assistant], most, lambda text: count(text, "gpt-5.4"))
    assert condense([user, assistant], most, lambda text: count(text, "gpt-5.4")) == kept
    assert sum(count(text, "gpt-5.4") for texts in kept for text in texts) <= most
    for texts, said in zip(kept, (user, assistant), strict=True):
        everything = " ".join(" ".join(text.split()) for text in said)
        assert all(text in everything for text in texts)
