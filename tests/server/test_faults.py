"""Faults on demand: whom they hit, what they do, how they are set; direct calls and HTTP meet the same."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SettingsError
from harness.server.app import Request, called_paths
from harness.server.errors import ApiError
from harness.server.faults import FaultFile, FaultRule, Faults, decide, parse_faults, read_faults
from harness.server.http import background
from harness.server.wire import StreamDropped

Api = Any
MakeApi = Any


def rules(*given: dict[str, Any], seed: int = 1) -> FaultFile:
    return parse_faults({"faults": list(given), "seed": seed}, called_paths())


def with_faults(make_api: MakeApi, *given: dict[str, Any], seed: int = 1, **options: Any) -> Api:
    return make_api(faults=rules(*given, seed=seed), **options)


# --- whom they hit ----------------------------------------------------------------------------------------


CALLS = st.lists(
    st.sampled_from(
        [("GET", "/threads/t"), ("POST", "/threads"), ("GET", "/assistants"), ("DELETE", "/files/f")]
    ),
    max_size=60,
)
RULES = st.fixed_dictionaries(
    {"status": st.sampled_from([429, 500])},
    optional={
        "path": st.sampled_from(["/threads/*", "/assistants", "/**"]),
        "method": st.sampled_from(["GET", "POST"]),
    },
).flatmap(
    lambda rule: st.sampled_from([{}, {"rate": 0.3}, {"nth": 2}, {"nth": [1, 4]}]).map(
        lambda more: rule | more
    )
)


def met(file: FaultFile, calls: list[tuple[str, str]]) -> list[int | None]:
    faults = Faults(file)
    found = [faults.next(Request(method, path)).refusal for method, path in calls]
    return [reply.status if reply else None for reply in found]


@given(st.integers(), st.lists(RULES, max_size=4), CALLS)
def test_the_same_seed_and_the_same_calls_meet_the_same_faults(
    seed: int, given_rules: list[dict[str, Any]], calls: list[tuple[str, str]]
) -> None:
    file = FaultFile.model_validate({"faults": given_rules, "seed": seed})
    assert met(file, calls) == met(file, calls)


@given(st.integers(), CALLS, st.integers(0, 60))
def test_what_comes_later_changes_nothing_about_what_came_before(
    seed: int, calls: list[tuple[str, str]], cut: int
) -> None:
    file = FaultFile.model_validate({"faults": [{"status": 500, "rate": 0.5}], "seed": seed})
    assert met(file, calls)[:cut] == met(file, calls[:cut])


@given(st.integers(), st.integers(0, 10), st.integers(1, 1000), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_rate_hits_every_call_that_a_lower_one_hits(
    seed: int, index: int, number: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    if decide(FaultRule(status=500, rate=low), seed, index, number):
        assert decide(FaultRule(status=500, rate=high), seed, index, number)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
def test_the_share_of_calls_that_are_hit_is_the_rate(rate: float) -> None:
    rule = FaultRule(status=500, rate=rate)
    hits = sum(decide(rule, seed, 0, number) for seed in range(20) for number in range(1, 501))
    assert hits / 10_000 == pytest.approx(rate, abs=0.02)


def test_other_seeds_hit_other_calls() -> None:
    rule = FaultRule(status=500, rate=0.5)
    patterns = {tuple(decide(rule, seed, 0, number) for number in range(1, 65)) for seed in range(50)}
    assert len(patterns) == 50


@pytest.mark.parametrize(
    ("path", "hit", "spared"),
    [
        ("/threads/*/runs", "/threads/thread_1/runs", "/threads/thread_1/runs/run_1"),
        ("/v1/threads/*/runs", "/threads/thread_1/runs", "/threads/runs"),
        ("/threads/**", "/threads/thread_1/runs/run_1/steps", "/threads"),
        ("/threads/thread_1/*", "/threads/thread_1/messages", "/threads/thread_2/messages"),
    ],
)
def test_a_star_stands_for_one_part_of_a_path_and_two_for_more(path: str, hit: str, spared: str) -> None:
    faults = Faults(rules({"path": path, "status": 500}))
    assert faults.next(Request("GET", spared)).refusal is None
    assert faults.next(Request("GET", hit)).refusal is not None


def test_only_calls_that_a_rule_is_about_are_counted() -> None:
    faults = Faults(rules({"path": "/threads", "method": "POST", "nth": 2, "status": 500}))
    calls = [("POST", "/threads"), ("GET", "/assistants"), ("GET", "/threads/t"), ("POST", "/threads")]
    assert [faults.next(Request(*call)).refusal is not None for call in calls] == [False, False, False, True]
    assert faults.body()["faults"][0]["calls"] == 2


# --- what they do -----------------------------------------------------------------------------------------


def test_a_refusal_comes_before_any_work_and_says_when_to_come_back(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"path": "/threads", "status": 429, "retry_after_s": 1.2, "nth": [1, 3]})
    refused = api.call("POST", "/threads")
    assert refused.status == 429
    assert (refused.headers["retry-after"], refused.headers["retry-after-ms"]) == ("2", "1200")
    assert refused.headers["x-harness-fault"] == "status 429"
    assert refused.headers["x-request-id"].startswith("req_")
    assert refused.body["error"]["code"] == "rate_limit_exceeded"
    assert api.call("POST", "/threads").status == 200
    thread = api.call("POST", "/threads")
    assert thread.status == 429


def test_a_server_error_leaves_no_trace_of_the_call(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"path": "/assistants", "method": "POST", "status": 503, "nth": 1})
    status, error = api.refused("POST", "/assistants", {"model": "m"})
    assert (status, error["type"]) == (503, "server_error")
    assert api.get("/assistants")["data"] == []
    assert "x-should-retry" not in api.replies[0].headers


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_cut_stream_brings_its_first_events_and_the_run_goes_on(make_api: MakeApi, after: int) -> None:
    api = with_faults(make_api, {"drop_stream_after": after, "nth": 1})
    assistant, thread = api.assistant()["id"], api.thread("hi")
    reply = api.call("POST", f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": True})
    events: list[Any] = []
    with pytest.raises(StreamDropped):
        events.extend(reply.events)
    assert len(list(events)) in (0, after)
    [run] = api.get(f"/threads/{thread}/runs")["data"]
    assert run["status"] == "completed"
    assert api.answer(thread)["content"][0]["text"]["value"] == "Fine."
    assert api.stream(f"/threads/{thread}/runs", {"assistant_id": assistant})[-1][0] == "thread.run.completed"


def test_a_stream_shorter_than_the_cut_is_whole(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"drop_stream_after": 1000})
    events = api.stream(f"/threads/{api.thread('hi')}/runs", {"assistant_id": api.assistant()["id"]})
    assert events[-1][0] == "thread.run.completed"


@pytest.mark.parametrize(
    ("fault", "status", "last_error", "incomplete"),
    [
        ({"run": "failed"}, "failed", "server_error", None),
        ({"run": "failed", "code": "rate_limit_exceeded"}, "failed", "rate_limit_exceeded", None),
        ({"run": "expired"}, "expired", None, None),
        ({"run": "incomplete"}, "incomplete", None, "max_completion_tokens"),
        ({"run": "incomplete", "code": "max_prompt_tokens"}, "incomplete", None, "max_prompt_tokens"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_runs_end_as_the_fault_wants_and_give_their_thread_back(
    make_api: MakeApi, fault: dict[str, Any], status: str, last_error: Any, incomplete: Any, stream: bool
) -> None:
    api = make_api(["one two three four five six seven eight"], faults=rules({**fault, "nth": 1}))
    assistant, thread = api.assistant()["id"], api.thread("hi")
    if stream:
        events = api.stream(f"/threads/{thread}/runs", {"assistant_id": assistant})
        assert events[-1][0] == f"thread.run.{status}"
    else:
        api.run(thread, assistant)
    [run] = api.get(f"/threads/{thread}/runs")["data"]
    assert run["status"] == status
    assert (run["last_error"] or {}).get("code") == last_error
    assert (run["incomplete_details"] or {}).get("reason") == incomplete
    if incomplete == "max_completion_tokens":
        message = api.answer(thread)
        assert message["status"] == "incomplete"
        said = message["content"][0]["text"]["value"]
        assert said and "one two three four five six seven eight".startswith(said) and "eight" not in said
    assert api.run(thread, assistant)["status"] == "completed"


@pytest.mark.parametrize(
    ("fault", "status"), [({"run": "failed"}, "failed"), ({"run": "incomplete"}, "incomplete")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_responses_end_as_the_fault_wants(
    make_api: MakeApi, fault: dict[str, Any], status: str, stream: bool
) -> None:
    api = make_api(["one two three four five six"], faults=rules({**fault, "path": "/responses", "nth": 1}))
    body = {"model": "m", "input": "hi", "stream": stream}
    reply = api.call("POST", "/responses", body)
    ended = list(reply.events)[-1][1]["response"] if stream else reply.body
    assert ended["status"] == status
    assert (ended["error"] or {}).get("code") == ("server_error" if status == "failed" else None)
    if status == "incomplete":
        assert ended["incomplete_details"] == {"reason": "max_output_tokens"}
        assert "six" not in ended["output"][0]["content"][0]["text"]
    assert api.post("/responses", {"model": "m", "input": "hi"})["status"] == "completed"


def test_a_response_whose_stream_is_cut_can_be_read_when_it_is_done(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"drop_stream_after": 1})
    events = api.call("POST", "/responses", {"model": "m", "input": "hi", "stream": True}).events
    created = next(events)[1]["response"]
    with pytest.raises(StreamDropped):
        next(events)
    assert api.get(f"/responses/{created['id']}")["status"] == "completed"


def test_a_chat_completion_is_cut_too(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"drop_stream_after": 2})
    messages = [{"role": "user", "content": "hi"}]
    events = api.call(
        "POST", "/chat/completions", {"model": "m", "messages": messages, "stream": True}
    ).events
    with pytest.raises(StreamDropped):
        list(events)


def test_a_run_made_with_its_thread_meets_its_fate_too(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"run": "expired"})
    made = api.post("/threads/runs", {"assistant_id": api.assistant()["id"]})
    assert api.get(f"/threads/{made['thread_id']}/runs/{made['id']}")["status"] == "expired"


def test_delays_are_waited_for_and_add_up(make_api: MakeApi) -> None:
    waits: list[float] = []
    api = with_faults(
        make_api,
        {"delay_s": 0.5},
        {"path": "/threads", "delay_s": 2.0},
        {"status": 500, "nth": 2},
        sleep=waits.append,
    )
    assert api.call("POST", "/threads").headers["x-harness-fault"] == "delay_s 0.5, delay_s 2.0"
    assert api.call("GET", "/assistants").status == 500
    assert waits == [2.5, 0.5]


# --- how they are set -------------------------------------------------------------------------------------


def test_faults_are_shown_with_their_counts_replaced_and_taken_away(make_api: MakeApi) -> None:
    api = make_api()
    assert api.get("/admin/faults") == {"object": "faults", "faults": []}
    body = {"faults": [{"path": "/assistants", "status": 500, "nth": 1}], "seed": 9}
    api.post("/admin/faults", body)
    assert [api.call("GET", "/assistants").status for _ in range(2)] == [500, 200]
    shown = api.get("/admin/faults")
    assert shown == {
        "object": "faults",
        "seed": 9,
        "faults": [{"path": "/assistants", "nth": 1, "status": 500, "calls": 2, "hits": 1}],
    }
    api.delete("/admin/faults")
    assert api.get("/admin/faults")["faults"] == []
    assert api.refused("PUT", "/admin/faults")[0] == 405


def test_the_admin_endpoint_never_meets_a_fault(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"status": 500})
    assert api.call("GET", "/assistants").status == 500
    assert api.delete("/admin/faults")["faults"] == []
    assert api.call("GET", "/assistants").status == 200


MISTAKES = [
    ({}, "exactly one of status, drop_stream_after, run, delay_s, not none of them"),
    ({"status": 500, "delay_s": 1.0}, "not status and delay_s"),
    ({"status": 200}, "status must be at least 400, not 200"),
    ({"status": 500, "rate": 1.5}, "rate must be at most 1, not 1.5"),
    ({"status": 500, "rate": 0.5, "nth": 2}, "rate and nth exclude each other"),
    ({"status": 500, "nth": 0}, "nth counts calls from 1"),
    ({"status": 500, "nth": []}, "names at least one"),
    ({"status": 500, "nth": "3"}, "nth must be a whole number or a list of whole numbers, not '3'"),
    ({"statsu": 500}, "did you mean 'status'?"),
    ({"run": "fail"}, "did you mean 'failed'?"),
    ({"run": "failed", "code": "max_tokens"}, "allowed: server_error, rate_limit_exceeded, invalid_prompt"),
    ({"run": "expired", "code": "late"}, "has no code 'late'"),
    ({"delay_s": 1.0, "code": "x"}, "code belongs to status or run"),
    ({"delay_s": 1.0, "retry_after_s": 1.0}, "retry_after_s belongs to status"),
    ({"path": "/thread/*/runs", "status": 500}, "no call that this fault can hit fits '/thread/*/runs'"),
    ({"path": "/assistants", "run": "failed"}, "no call that this fault can hit fits '/assistants'"),
    ({"path": "/responses", "run": "expired"}, "no call that this fault can hit fits '/responses'"),
    ({"path": "/threads", "method": "GET", "status": 500}, "fits 'GET /threads'"),
]


@pytest.mark.parametrize(("rule", "said"), MISTAKES)
def test_rules_that_make_no_sense_are_refused_with_what_would(
    make_api: MakeApi, tmp_path: Path, rule: dict[str, Any], said: str
) -> None:
    api = make_api()
    status, error = api.refused("POST", "/admin/faults", {"faults": [rule]})
    assert status == 400
    assert said in error["message"]
    file = tmp_path / "faults.yaml"
    file.write_text(json.dumps({"faults": [rule]}), "utf-8")  # JSON is YAML
    with pytest.raises(SettingsError) as caught:
        read_faults(file, called_paths())
    assert said in str(caught.value)
    assert f"{file}:1:" in str(caught.value)
    assert caught.value.code == "faults-invalid"


def test_a_request_that_is_no_list_of_faults_changes_nothing(make_api: MakeApi) -> None:
    api = with_faults(make_api, {"path": "/assistants", "status": 500})
    for body in (None, {}, {"faults": 1}, {"faults": [1]}, {"fault": []}):
        assert api.refused("POST", "/admin/faults", body)[0] == 400
    assert api.call("GET", "/assistants").status == 500


def test_a_file_holds_what_a_request_holds(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(
        "seed: 3\nfaults:\n"
        "  - {path: /threads/*/runs, method: POST, status: 429, retry_after_s: 1, rate: 0.05}\n"
        "  - {drop_stream_after: 5, rate: 0.01}\n  - {run: expired, nth: [2, 5]}\n  - {delay_s: 0.2}\n",
        "utf-8",
    )
    assert read_faults(file, called_paths()).model_dump(exclude_none=True) == {
        "seed": 3,
        "faults": (
            {"path": "/threads/*/runs", "method": "POST", "status": 429, "retry_after_s": 1.0, "rate": 0.05},
            {"drop_stream_after": 5, "rate": 0.01},
            {"run": "expired", "nth": (2, 5)},
            {"delay_s": 0.2},
        ),
    }


@pytest.mark.parametrize(("method", "path"), called_paths())
def test_every_route_can_be_named_as_it_is_documented(method: str, path: str) -> None:
    named = "/".join("*" if part.startswith("{") else part for part in path.split("/"))
    parse_faults({"faults": [{"path": named, "method": method, "status": 500}]}, called_paths())
    with pytest.raises(ApiError):
        parse_faults({"faults": [{"path": f"{named}/no/such/part", "status": 500}]}, called_paths())


# --- over HTTP --------------------------------------------------------------------------------------------


def over_http(
    base_url: str, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes, bool]:
    """Status, headers, what arrived, and whether it was cut."""
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        try:
            return answer.status, named, answer.read(), False
        except http.client.IncompleteRead as cut:
            return answer.status, named, cut.partial, True
    finally:
        connection.close()


def test_http_meets_the_same_faults_as_direct_calls(make_api: MakeApi) -> None:
    given_rules = (
        {"path": "/threads", "status": 429, "retry_after_s": 1.0, "rate": 0.4},
        {"path": "/assistants", "status": 500, "rate": 0.3},
    )
    direct, served = (with_faults(make_api, *given_rules, seed=5) for _ in range(2))
    calls = [("POST", "/threads"), ("GET", "/assistants")] * 20
    with background(served.app) as base_url:
        for method, path in calls:
            reply = direct.call(method, path)
            status, headers, content, _ = over_http(base_url, method, f"/v1{path}")
            assert status == reply.status
            assert headers.get("retry-after") == reply.headers.get("retry-after")
            assert status == 200 or json.loads(content) == reply.body
    assert {reply.status for reply in direct.replies} == {200, 429, 500}


def test_a_cut_stream_is_a_broken_connection_without_noise(
    make_api: MakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api = with_faults(make_api, {"drop_stream_after": 3})
    assistant, thread = api.assistant()["id"], api.thread("hi")
    with background(api.app) as base_url:
        body = {"assistant_id": assistant, "stream": True}
        status, headers, content, cut = over_http(base_url, "POST", f"/v1/threads/{thread}/runs", body)
    assert (status, cut) == (200, True)
    assert headers["x-harness-fault"] == "drop_stream_after 3"
    assert content.count(b"event: ") == 3
    assert b"[DONE]" not in content
    assert api.get(f"/threads/{thread}/runs")["data"][0]["status"] == "completed"
    assert not caplog.records


def test_the_admin_endpoint_is_for_programs_on_this_machine(make_api: MakeApi, monkeypatch: Any) -> None:
    with background(make_api().app) as base_url:
        for path in ("/admin/faults", "/v1/admin/faults"):
            assert over_http(base_url, "GET", path)[0] == 200
        assert over_http(base_url, "GET", "/admin/faults", Origin="https://example.com")[0] == 403
        # uvicorn believes a proxy on this machine about who its client is.
        assert over_http(base_url, "GET", "/admin/faults", **{"X-Forwarded-For": "192.0.2.7"})[0] == 403


def test_the_admin_endpoint_asks_for_the_key_as_everything_does(make_api: MakeApi) -> None:
    with background(make_api().app, api_key="sk-right") as base_url:
        assert over_http(base_url, "GET", "/admin/faults")[0] == 401
        assert over_http(base_url, "GET", "/admin/faults", Authorization="Bearer sk-right")[0] == 200


def test_a_server_without_faults_does_not_load_what_reads_them() -> None:
    code = (
        "import sys, harness.server.app as a; a.App().close(); print('harness.server.faults' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
