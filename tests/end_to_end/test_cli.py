"""The command line as a process, the way a new user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `harness init` makes."""
    assert run("init", ".", folder=tmp_path).returncode == 0
    return tmp_path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A `harness serve` process with a key; its base URL."""
    process = subprocess.Popen(
        [*HARNESS, "serve", "--port", "0", "--api-key", "sk-right"],
        cwd=tmp_path_factory.mktemp("server"),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    line = process.stderr.readline()
    assert "serving on " in line
    yield line.split()[2]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_the_first_suite_passes_and_leaves_a_report(project: Path) -> None:
    done = run("run", "suite.yaml", "--junit", "out.xml", "--markdown", "out.md", folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first-suite" in done.stdout
    report = Path(done.stdout.rsplit("report: ", 1)[1].splitlines()[0])
    assert "<!doctype html>" in (project / report).read_text("utf-8")[:200].lower()
    assert "<testsuite" in (project / "out.xml").read_text("utf-8")
    assert "3 of 3 conversations passed" in (project / "out.md").read_text("utf-8")


def test_a_default_run_opens_no_connection_at_all(project: Path) -> None:
    guard = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto'):\n"
        "        print('NETWORK', event, arguments, file=sys.stderr)\n"
        "sys.addaudithook(watch)\n"
        "from harness.cli import main; main()"
    )
    command = [sys.executable, "-c", guard, "run", "suite.yaml"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr


def test_init_never_overwrites(project: Path) -> None:
    done = run("init", ".", folder=project)
    assert done.returncode == 4
    assert "already there" in done.stderr


def test_init_in_a_place_that_can_not_be_written_to_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    done = run("init", "taken/here", folder=tmp_path)
    assert done.returncode == 4
    assert "cannot write 'taken/here" in done.stderr


def test_the_same_suite_passes_over_http(project: Path, server: str) -> None:
    arguments = ["run", "suite.yaml", "--target", "assistants", "--base-url", server]
    done = run(*arguments, folder=project, OPENAI_API_KEY="sk-right")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_key_is_one_clear_error(project: Path, server: str) -> None:
    arguments = ["run", "suite.yaml", "--target", "assistants", "--base-url", server]
    done = run(*arguments, folder=project, OPENAI_API_KEY="sk-wrong")
    assert done.returncode == 4
    assert "[wrong-api-key]" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_assistant_that_does_not_exist_is_one_clear_error(project: Path, server: str) -> None:
    arguments = ["run", "suite.yaml", "--target", "assistants", "--base-url", server]
    done = run(*arguments, "--assistant", "asst_nobody", folder=project, OPENAI_API_KEY="sk-right")
    assert done.returncode == 4
    assert "asst_nobody" in done.stderr


def test_a_server_that_is_not_there_is_one_clear_error(project: Path) -> None:
    arguments = ["run", "suite.yaml", "--target", "assistants", "--base-url", "http://127.0.0.1:1/v1"]
    done = run(*arguments, folder=project)
    assert done.returncode == 4
    assert "nothing answers at 'http://127.0.0.1:1/v1'" in done.stderr
    assert "hint:" in done.stderr


def test_a_failing_expectation_exits_1_and_says_what_failed(project: Path) -> None:
    suite = project / "suite.yaml"
    suite.write_text(suite.read_text("utf-8").replace("30 days", "90 days"), "utf-8")
    done = run("run", "suite.yaml", folder=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "return-period" in done.stdout
    assert "90 days" in done.stdout


def test_mistakes_are_reported_with_their_places_and_nothing_is_run(project: Path) -> None:
    suite = project / "suite.yaml"
    suite.write_text(suite.read_text("utf-8").replace("escalates", "esclates"), "utf-8")
    done = run("check", "suite.yaml", folder=project)
    assert done.returncode == 4
    assert done.stderr.count("esclates") >= 3
    assert "suite.yaml:" in done.stderr
    assert "escalates" in done.stderr
    assert not (project / ".harness").exists()


def test_check_counts_what_would_run(project: Path) -> None:
    done = run("check", "suite.yaml", folder=project)
    assert done.returncode == 0
    assert "3 conversations" in done.stdout


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "empty"), (b"%PDF-1.7 then nothing", "broken.pdf"), (b"\x00\x01\x02", "broken.pdf")],
    ids=["empty", "damaged", "garbage"],
)
def test_an_unreadable_document_stops_the_run_by_name(project: Path, content: bytes, expected: str) -> None:
    (project / "documents" / "broken.pdf").write_bytes(content)
    assistant = project / "assistant.yaml"
    assistant.write_text(assistant.read_text("utf-8").replace("documents/*.md", "documents/*"), "utf-8")
    done = run("run", "suite.yaml", folder=project)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "broken.pdf" in done.stderr
    assert expected in done.stderr


def test_nothing_to_run_has_its_own_exit_code(project: Path) -> None:
    assert run("run", "suite.yaml", "--tag", "smoke", "--only", "off-topic", folder=project).returncode == 5


def test_a_pattern_that_fits_no_conversation_is_a_mistake(project: Path) -> None:
    done = run("run", "suite.yaml", "--only", "no-such-*", folder=project)
    assert done.returncode == 4
    assert "no conversation fits 'no-such-*'" in done.stderr


def test_a_misspelt_command_is_answered_with_the_right_one(tmp_path: Path) -> None:
    done = run("chekc", folder=tmp_path)
    assert done.returncode == 4
    assert "Did you mean 'check'?" in done.stderr


HELD = """
import asyncio, sys
from pathlib import Path

told = []


def wait():
    print("the second is under way", file=sys.stderr, flush=True)
    Path("held").read_text()  # a pipe: until somebody writes to it


async def answer(question):
    told.append(question)
    if len(told) == 2 and Path("held").exists():
        await asyncio.to_thread(wait)
    return "fine"
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of six trials, one at a time, whose second is under way until somebody writes to the pipe."""
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "app.py").write_text(HELD)
    talks = "[{id: a, turns: [{user: hello}]}, {id: b, turns: [{user: hello}]}]"
    (tmp_path / "suite.yaml").write_text(f"suite: s\nassistant: bot.yaml\nconversations: {talks}\n")
    os.mkfifo(tmp_path / "held")
    function = ["--target", "function", "--target-function", "app.py:answer"]
    command = [*HARNESS, "run", "suite.yaml", *function, "--repeats", "3", "--concurrency", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            said(process, "the second is under way")
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], words: str) -> None:
    """Wait until the process has said this."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return
    pytest.fail(f"the process ended without {words!r}: {lines}")


def test_an_interrupted_run_goes_on_where_it_stopped(held: subprocess.Popen[str], tmp_path: Path) -> None:
    held.send_signal(signal.SIGINT)
    said(held, "Ctrl-C again")
    (tmp_path / "held").write_text("")
    output, _ = held.communicate(timeout=120)
    assert held.returncode == 2
    assert "4 of 6 trials are left" in output
    (tmp_path / "held").unlink()
    resumed = run("run", "--resume", "latest", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "going on: 2 of 6 trials have their result" in resumed.stderr
    listed = run("runs", folder=tmp_path)
    assert "finished" in listed.stdout
    assert "6/6" in listed.stdout


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_at_once_and_says_how_to_go_on(
    held: subprocess.Popen[str], tmp_path: Path, again: signal.Signals
) -> None:
    held.send_signal(signal.SIGINT)
    said(held, "Ctrl-C again")
    held.send_signal(again)
    said(held, "stopping at once")
    (tmp_path / "held").write_text("")  # the thread that reads it would be waited for
    output, errors = held.communicate(timeout=120)
    assert held.returncode == 2
    assert "Traceback" not in errors
    assert "harness run --resume" in output
    assert "interrupted" in run("runs", folder=tmp_path).stdout


@pytest.mark.parametrize(
    "given",
    [
        ["suite.yaml"],
        ["--tag", "smoke"],
        ["--only", "x"],
        ["--assistant", "assistant.yaml"],
        ["--repeats", "2"],
    ],
)
def test_resume_refuses_what_the_run_has_decided(project: Path, given: list[str]) -> None:
    done = run("run", "--resume", "latest", *given, folder=project)
    assert done.returncode == 4
    assert (given[0] if given[0].startswith("--") else "SUITES") in done.stderr


def test_a_run_goes_on_at_the_address_that_its_server_has_now(project: Path, server: str) -> None:
    arguments = ["run", "suite.yaml", "--target", "assistants", "--base-url", "http://127.0.0.1:1/v1"]
    assert run(*arguments, folder=project).returncode == 4
    elsewhere = project / "documents"
    done = run(
        *("run", "--resume", "latest", "--base-url", server, "--store", "../.harness/store.sqlite"),
        folder=elsewhere,
        OPENAI_API_KEY="sk-right",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_retrying_errors_needs_the_run_they_are_in(project: Path) -> None:
    done = run("run", "suite.yaml", "--retry-errors", folder=project)
    assert done.returncode == 4
    assert "--resume" in done.stderr


def test_a_run_that_can_not_begin_is_not_stored(project: Path) -> None:
    assert run("run", "suite.yaml", "--target", "nowhere", folder=project).returncode == 4
    assert not (project / ".harness").exists()


def test_an_existing_assistant_can_not_be_at_a_server_that_begins_empty(project: Path) -> None:
    done = run("run", "suite.yaml", "--assistant", "asst_live", folder=project)
    assert done.returncode == 4
    assert "--target assistants" in done.stderr


def test_without_a_suite_the_way_to_a_first_one_is_shown(tmp_path: Path) -> None:
    for command in ("run", "check"):
        done = run(command, folder=tmp_path)
        assert done.returncode == 5
        assert "harness init" in done.stderr


def test_a_report_that_can_not_be_written_hides_no_verdict(project: Path) -> None:
    (project / "taken").write_text("a file, not a folder")
    done = run("run", "suite.yaml", "--out", "taken", folder=project)
    assert done.returncode == 3
    assert "[report-not-written]" in done.stderr
    assert "can be written later: harness report 2" in done.stderr
    assert "3 of 3 conversations passed" in done.stdout


def test_resume_refuses_a_suite_that_changed(project: Path) -> None:
    assert run("run", "suite.yaml", folder=project).returncode == 0
    suite, assistant = project / "suite.yaml", project / "assistant.yaml"
    suite.write_text(suite.read_text("utf-8").replace("30 days", "31 days"), "utf-8")
    assistant.write_text(assistant.read_text("utf-8").replace("gpt-5.4", "gpt-5.5"), "utf-8")
    done = run("run", "--resume", "latest", folder=project)
    assert done.returncode != 0
    assert "[suite-changed]" in done.stderr
    assert "suite first-suite (conversation return-period)" in done.stderr
    assert "assistant assistant (model)" in done.stderr


@pytest.mark.parametrize("kind", ["html", "markdown", "junit", "csv", "console"])
def test_a_report_is_made_again_from_the_store(project: Path, kind: str) -> None:
    assert run("run", "suite.yaml", folder=project).returncode == 0
    done = run("report", "--format", kind, folder=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_serving_the_outside_needs_a_key(tmp_path: Path) -> None:
    done = run("serve", "--host", "0.0.0.0", "--port", "0", folder=tmp_path)
    assert done.returncode == 4
    assert "--api-key" in done.stderr


def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path, server: str) -> None:
    port = server.rsplit(":", 1)[1].removesuffix("/v1")
    done = run("serve", "--port", port, folder=tmp_path)
    assert done.returncode == 4
    assert f"cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "--port 0" in done.stderr


def test_a_full_disk_is_one_clear_error_and_loses_nothing_finished(project: Path) -> None:
    """A file system of 300 kB inside a mount namespace of its own."""
    inside = (
        "mount -t tmpfs -o size=300k none full && "
        f"{' '.join(HARNESS[:1])} -c 'from harness.cli import main; main()' "
        "run suite.yaml --repeats 400 --no-progress --store full/store.sqlite; "
        "echo rc=$?; mkdir kept; cp full/* kept/"
    )
    (project / "full").mkdir()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside],
        cwd=project,
        env=os.environ | {"HARNESS_STORE_PATIENCE_S": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "rc=" not in done.stdout:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert "rc=3" in done.stdout
    assert "full" in done.stderr
    assert "go on with: harness run --resume " in done.stderr
    assert "Traceback" not in done.stderr
    report = run("report", "--format", "csv", "--store", "kept/store.sqlite", folder=project)
    assert report.returncode == 0, report.stderr
    assert len(report.stdout.splitlines()) > 1


def test_completion_scripts_are_printed(tmp_path: Path) -> None:
    assert "_HARNESS_COMPLETE" in run("completion", "bash", folder=tmp_path).stdout


def test_json_schemas_are_valid_json() -> None:
    for file in (Path(__file__).parents[2] / "docs" / "schema").glob("*.json"):
        assert json.loads(file.read_text("utf-8"))["$schema"]


APPLICATION = """
from harness.targets.function import Question


async def answer(question: Question) -> dict:
    if question.text.startswith("crash"):
        raise RuntimeError("no database")
    ticket = await question.call("create_ticket", {"subject": question.text})
    return {"text": f"Opened {ticket}.", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
"""
FUNCTION_SUITE = """
suite: tickets
assistant: assistant.yaml
tools:
  create_ticket: [{returns: {id: T-7}}]
conversations:
  - id: opened
    turns: [{user: open one, expect: {answer: {mentions: [T-7]}, calls: [{tool: create_ticket}]}}]
  - id: crashed
    turns: [{user: crash now, expect: {status: failed}}]
"""
FUNCTION_ASSISTANT = """
name: Mine
model: gpt-5.4
tools: [{type: function, function: {name: create_ticket}}]
"""


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """A suite of an assistant with a function, and an application that calls it."""
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "suite.yaml").write_text(FUNCTION_SUITE)
    (tmp_path / "assistant.yaml").write_text(FUNCTION_ASSISTANT)
    return tmp_path


@pytest.mark.parametrize("name", ["app:answer", "app.py:answer"])
def test_an_application_of_the_users_own_is_run_and_judged(tickets: Path, name: str) -> None:
    done = run("run", "suite.yaml", "--target", "function", "--target-function", name, folder=tickets)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 conversations passed" in done.stdout


def test_an_application_that_is_not_there_is_a_mistake_in_usage(tickets: Path) -> None:
    done = run("run", "suite.yaml", "--target", "function", "--target-function", "app:anser", folder=tickets)
    assert done.returncode == 4
    assert "did you mean 'answer'?" in done.stderr


def test_an_address_for_a_target_that_has_none_is_refused_instead_of_passing_elsewhere(
    tickets: Path,
) -> None:
    (tickets / "harness.toml").write_text('base_url = "http://127.0.0.1:1/v1"\nmodels = "nowhere.yaml"\n')
    done = run("run", "suite.yaml", "--base-url", "http://127.0.0.1:1/v1", folder=tickets)
    assert done.returncode == 4 and "the target 'embedded' has no address" in done.stderr
    elsewhere = run("run", "suite.yaml", "--target", "assistants", folder=tickets)
    assert "nothing answers at 'http://127.0.0.1:1/v1'" in elsewhere.stderr


def test_completions_refuse_an_assistant_with_documents_before_anything_is_run(project: Path) -> None:
    done = run("run", "suite.yaml", "--target", "chat", folder=project)
    assert done.returncode == 4
    assert "target-lacks" in done.stderr and "file_search" in done.stderr


def test_the_first_suite_passes_on_responses_over_http_and_with_azures_client(
    project: Path, server: str
) -> None:
    plain = ("--base-url", server)
    azure = ("--azure-endpoint", server.removesuffix("/v1"), "--api-version", "2025-04-01-preview")
    for target in ("responses", "assistants"):
        for address in (plain, azure):
            done = run(
                *("run", "suite.yaml", "--target", target, *address),
                folder=project,
                OPENAI_API_KEY="sk-right" if address is plain else "sk-wrong",
                AZURE_OPENAI_API_KEY="sk-right",
            )
            assert done.returncode == 0, done.stdout + done.stderr


# --- runs that end early, and what is shown of them ---------------------------------------------------------

EARLY = """\
suite: early
assistant: bot.yaml
expect: {answer: {mentions: [fine]}}
conversations:
  - {id: a, turns: [{user: fine}]}
  - {id: b, turns: [{user: bad}]}
  - {id: c, turns: [{user: error}]}
  - {id: d, turns: [{user: fine}]}
"""
ANSWER = "def answer(question):\n    return 5 if question.text == 'error' else question.text\n"


@pytest.fixture
def early(tmp_path: Path) -> list[str]:
    """A run of a function, one trial after the other: passed, failed, errored, passed."""
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "app.py").write_text(ANSWER)
    (tmp_path / "early.yaml").write_text(EARLY)
    function = ["--target", "function", "--target-function", "app.py:answer"]
    return ["run", "early.yaml", *function, "--concurrency", "1"]


@pytest.mark.parametrize(
    ("option", "left"),
    [
        (["--fail-fast"], 2),
        (["--max-failures", "2"], 1),
        (["--max-errors", "1"], 1),
        (["--max-errors", "2"], 0),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else str(given),
)
def test_a_run_that_can_not_pass_any_more_ends_early_with_its_report(
    tmp_path: Path, early: list[str], option: list[str], left: int
) -> None:
    done = run(*early, *option, "--junit", "out.xml", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "out.xml").exists()
    told = f"ended early: it has as many failures as it may have; {left} of 4 trials are left"
    assert (told in done.stdout) == bool(left)
    again = run("run", "--resume", "latest", folder=tmp_path)
    assert again.returncode == 1
    assert "trials are left" not in again.stdout


def test_fail_fast_and_another_number_of_failures_exclude_each_other(
    tmp_path: Path, early: list[str]
) -> None:
    done = run(*early, "--fail-fast", "--max-failures", "3", folder=tmp_path)
    assert done.returncode == 4
    assert "leave one of them out" in done.stderr


def test_quiet_prints_one_line_and_where_the_report_is(tmp_path: Path, early: list[str]) -> None:
    done = run(*early, "-q", folder=tmp_path)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.endswith(": 1 errored, 1 failed, 2 passed")
    assert second.startswith("report: ")


def test_events_that_are_asked_for_are_written_though_the_rest_is_quiet(
    tmp_path: Path, early: list[str]
) -> None:
    done = run(*early, "--quiet", "--progress", "json", folder=tmp_path)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert (events[0], events[-1]) == ("run_started", "run_finished")
    assert len(done.stdout.splitlines()) == 2


def test_events_are_json_lines_on_standard_error_and_in_a_file_that_a_resumed_run_adds_to(
    tmp_path: Path, early: list[str]
) -> None:
    options = ["--progress", "json", "--events", "events.jsonl"]
    done = run(*early, "--fail-fast", *options, folder=tmp_path)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    named = [event["event"] for event in events]
    each = ["trial_started", "trial_finished"]
    assert named == ["run_started", "provisioned", *each, *each, "run_finished"]
    assert events[-1]["status"] == "failures_reached"
    assert [event["event"] for event in in_file(tmp_path)] == named
    run("run", "--resume", "latest", *options, folder=tmp_path)
    both = in_file(tmp_path)
    assert len({event["run"] for event in both}) == 1
    finished = [event["trial"] for event in both if event["event"] == "trial_finished"]
    assert finished == [f"early/{name}@bot#1" for name in "abcd"]
    assert [event["already"] for event in both if event["event"] == "run_started"] == [0, 2]


def in_file(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]
