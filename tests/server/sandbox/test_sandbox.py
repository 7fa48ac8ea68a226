import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.server.sandbox import DATA_PATH, ISOLATIONS, Limits, Sandbox, isolation
from harness.server.sandbox.limits import MEGABYTE

PNG = b"\x89PNG\r\n\x1a\n"
SMALL = Limits(
    wall_s=20,
    cpu_s=10,
    memory_bytes=1024 * MEGABYTE,
    processes=16,
    file_bytes=4 * MEGABYTE,
    output_chars=4000,
)


def sandbox_of(isolation, limits=SMALL):
    sandbox = Sandbox(limits, isolations=[isolation])
    try:
        assert sandbox.isolation.startswith(isolation)
    except HarnessError as error:
        sandbox.close()
        pytest.skip(f"not available here: {error}")
    return sandbox


def name_of(sandbox):
    return re.match(r"\w+", sandbox.isolation).group()


@pytest.fixture(params=ISOLATIONS, scope="module")
def sandbox(request):
    with sandbox_of(request.param) as sandbox:
        yield sandbox


@pytest.fixture
def session(sandbox, request):
    session = sandbox.open(request.node.name)
    yield session
    session.close()


@pytest.fixture
def isolated_session():
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    with sandbox_of("bubblewrap") as sandbox:
        yield sandbox.open("only")


def test_what_is_printed_comes_back_in_order_with_standard_error(session):
    outcome = session.run("import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('three é')")
    assert outcome.logs == "one\ntwo\nthree é\n"
    assert (outcome.error, outcome.images, outcome.files) == (None, (), ())


def test_the_value_of_an_expression_is_not_echoed(session):
    assert session.run("1 + 1").logs == ""


def test_variables_functions_and_imports_persist_between_runs(session):
    session.run("import math\ndef double(x): return 2 * x\nvalue = 21")
    assert session.run("print(double(value), math.floor(2.5))").logs == "42 2\n"


def test_two_sessions_share_no_variables(sandbox):
    sandbox.open("first").run("secret = 1")
    assert sandbox.open("second").run("print(secret)").error == "NameError: name 'secret' is not defined"
    assert sandbox.open("first").run("print(secret)").logs == "1\n"
    sandbox.open("first").close()
    sandbox.open("second").close()


def test_an_exception_gives_a_traceback_of_the_code_alone_and_the_session_lives_on(session):
    outcome = session.run("x = 5\ndef broken():\n    return x / 0\nbroken()")
    assert outcome.error == "ZeroDivisionError: division by zero"
    assert outcome.logs.startswith(
        'Traceback (most recent call last):\n  File "<code 1>", line 4, in <module>\n'
    )
    assert "    return x / 0\n" in outcome.logs
    assert "child" not in outcome.logs
    assert session.run("print(x)").logs == "5\n"


def test_a_syntax_error_is_reported_with_its_place(session):
    outcome = session.run("print('a'\n")
    assert outcome.error == "SyntaxError: '(' was never closed"
    assert "print('a'" in outcome.logs


@pytest.mark.parametrize(
    ("code", "error"), [("exit()", None), ("import sys; sys.exit('no')", "SystemExit: no")]
)
def test_leaving_the_code_does_not_end_the_session(session, code, error):
    session.run("kept = 7")
    assert session.run(code).error == error
    assert session.run("print(kept)").logs == "7\n"


def test_code_that_is_no_text_for_python_is_an_outcome_too(session):
    assert session.run("\x00").error.startswith(("SyntaxError", "ValueError"))
    assert session.run("x = '\ud800'").error is not None
    assert session.run("print('still here')").logs == "still here\n"


def test_input_finds_nobody_to_ask(session):
    assert session.run("input()").error.startswith("EOFError")


def test_an_endless_loop_is_ended_by_the_wall_clock_and_the_session_starts_afresh(sandbox):
    limits = Limits(wall_s=1, cpu_s=30)
    with sandbox_of(name_of(sandbox), limits) as strict:
        session = strict.open("loop")
        session.put("notes.txt", b"kept")
        outcome = session.run("x = 1\nprint('begun')\nwhile True: pass")
        assert outcome.error.startswith("TimeoutError: the code ran longer than 1 s")
        assert outcome.logs == f"begun\n{outcome.error}\n"
        assert session.run("print(x)").error == "NameError: name 'x' is not defined"
        assert session.run(f"print(open('{DATA_PATH}/notes.txt').read())").logs == "kept\n"


def test_processor_time_is_limited_for_each_run(sandbox):
    limits = Limits(wall_s=60, cpu_s=1)
    with sandbox_of(name_of(sandbox), limits) as strict:
        outcome = strict.open("busy").run("while True: pass")
        assert outcome.error.startswith("TimeoutError: the code used more than 1 s of processor time")


@pytest.mark.skipif(sys.platform != "linux", reason="address space cannot be limited elsewhere")
def test_memory_beyond_the_limit_is_a_memory_error_and_the_session_lives_on(session):
    session.run("kept = 3")
    assert session.run("block = bytearray(3 * 10**9)").error == "MemoryError"
    assert session.run("print(kept)").logs == "3\n"


def test_output_beyond_the_limit_is_cut_in_the_middle_and_says_so(session):
    outcome = session.run("print('first')\nfor i in range(20000): print('filler', i)\nprint('last')")
    assert outcome.logs.startswith("first\nfiller 0\n")
    assert outcome.logs.endswith("last\n")
    assert "bytes of output left out ...]" in outcome.logs
    assert len(outcome.logs) < SMALL.output_chars + 100


def test_a_flood_of_output_cannot_outlast_the_wall_clock(sandbox):
    limits = Limits(wall_s=1, cpu_s=30, output_chars=1000)
    with sandbox_of(name_of(sandbox), limits) as strict:
        outcome = strict.open("flood").run("while True: print('x' * 10000)")
        assert outcome.error.startswith("TimeoutError")
        assert len(outcome.logs) < 1200


@pytest.mark.skipif(sys.platform != "linux", reason="relies on Linux limits")
def test_a_fork_bomb_is_refused_and_leaves_nothing_behind(session, sandbox):
    code = (
        "import os, time\nwhile True:\n    if os.fork() == 0:\n        time.sleep(600)\n        os._exit(0)"
    )
    outcome = session.run(code)
    assert outcome.error.startswith("BlockingIOError")
    assert session.run("print('alive')").logs == "alive\n"


def test_a_file_larger_than_the_limit_cannot_be_written(session):
    outcome = session.run(f"open('{DATA_PATH}/big', 'wb').write(b'x' * {8 * MEGABYTE})")
    assert outcome.error == "OSError: [Errno 27] File too large"


def test_files_that_fill_the_disk_are_removed_and_earlier_ones_kept(sandbox):
    limits = Limits(file_bytes=4 * MEGABYTE, disk_bytes=6 * MEGABYTE)
    with sandbox_of(name_of(sandbox), limits) as strict:
        session = strict.open("disk")
        session.put("sales.csv", b"a,b\n")
        fill = f"for i in range(5): open(f'{DATA_PATH}/{{i}}', 'wb').write(b'x' * {3 * MEGABYTE})"
        outcome = session.run(fill)
        assert outcome.error.startswith("OSError: the code made more than 6,291,456 bytes of files")
        assert session.run(f"import os; print(os.listdir('{DATA_PATH}'))").logs == "['sales.csv']\n"


def test_folders_nested_without_end_are_removed(session):
    deep = f"import os\nos.chdir('{DATA_PATH}')\nfor i in range(50):\n    os.mkdir('d')\n    os.chdir('d')"
    assert "folders nested more than" in session.run(deep).error
    assert session.run("print('alive')").logs == "alive\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(3)", "SystemExit: the interpreter ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "MemoryError: the interpreter was killed"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "SystemError: the interpreter was ended by SIGSEGV",
        ),
        ("import os\nfor fd in range(3, 64):\n    try: os.close(fd)\n    except OSError: pass", ""),
    ],
)
def test_an_interpreter_that_is_gone_is_an_outcome_and_the_next_run_works(session, code, said):
    outcome = session.run(code)
    assert outcome.error is not None
    assert outcome.error.startswith(said)
    assert session.run("print('alive')").logs == "alive\n"


def test_nonsense_on_the_answer_pipe_harms_nobody(session):
    code = (
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'nonsense\\n[1]\\n{\"run\": 999}\\n')\n"
        "    except OSError: pass\nprint('done')"
    )
    assert session.run(code).logs.endswith("done\n")
    assert session.run("print('alive')").logs == "alive\n"


def test_no_variable_of_this_process_is_seen(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-leak")
    with Sandbox(SMALL, isolations=ISOLATIONS) as sandbox:
        logs = sandbox.open("env").run("import os; print(sorted(os.environ)); print(dict(os.environ))").logs
    assert "sk-do-not-leak" not in logs
    assert "OPENAI_API_KEY" not in logs


def test_pandas_and_matplotlib_are_there_and_a_shown_figure_comes_back_as_png(session):
    session.put("sales.csv", b"month,revenue\n1,10\n2,30\n")
    outcome = session.run(
        "import pandas as pd\nimport matplotlib.pyplot as plt\n"
        f"sales = pd.read_csv('{DATA_PATH}/sales.csv')\nprint(sales.revenue.sum())\n"
        "plt.plot(sales.month, sales.revenue)\nplt.show()"
    )
    assert (outcome.error, outcome.logs) == (None, "40\n")
    assert [(image.path, image.content[:8]) for image in outcome.images] == [("", PNG)]
    assert outcome.files == ()


def test_figures_left_open_come_back_once_and_each_show_gives_its_own(session):
    two = session.run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.plot([2, 1])\nplt.title('open')"
    )
    assert [image.content[:8] for image in two.images] == [PNG, PNG]
    assert two.images[0].content != two.images[1].content
    assert session.run("print('nothing drawn')").images == ()


def test_a_figure_that_is_saved_and_shown_is_one_image_under_its_own_name(session):
    outcome = session.run(
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
        f"plt.savefig('{DATA_PATH}/trend.png')\nplt.show()"
    )
    assert [(image.name, image.path) for image in outcome.images] == [("trend.png", f"{DATA_PATH}/trend.png")]
    assert outcome.logs == ""
    assert outcome.files == ()


def test_files_made_or_changed_come_back_with_their_content_and_others_do_not(session):
    session.put("kept.txt", b"as it was")
    session.put("changed.txt", b"before")
    outcome = session.run(
        f"import os\nos.makedirs('{DATA_PATH}/out')\nopen('{DATA_PATH}/out/result.csv', 'w').write('a,b')\n"
        f"open('{DATA_PATH}/changed.txt', 'w').write('after')\nopen('{DATA_PATH}/.hidden', 'w').write('x')"
    )
    assert [(made.name, made.path, made.content) for made in outcome.files] == [
        ("changed.txt", f"{DATA_PATH}/changed.txt", b"after"),
        ("result.csv", f"{DATA_PATH}/out/result.csv", b"a,b"),
    ]
    assert session.run("pass").files == ()


def test_more_files_than_are_returned_are_counted_in_the_logs(session):
    outcome = session.run(f"for i in range(60): open(f'{DATA_PATH}/{{i:02}}.txt', 'w').write('x')")
    assert len(outcome.files) == SMALL.files // 100
    assert "[10 more files were made" in outcome.logs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\sales.csv", "sales.csv"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b.txt", "ab.txt"),
        ("x" * 4000 + ".csv", "x" * 196 + ".csv"),
    ],
)
def test_only_the_last_part_of_a_file_name_from_outside_counts(session, name, expected):
    assert session.put(name, b"content") == f"{DATA_PATH}/{expected}"
    assert session.run(f"import os; print(os.listdir('{DATA_PATH}'))").logs == f"['{expected}']\n"


def test_a_link_to_a_file_of_this_machine_is_neither_read_nor_written_through(session, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("host secret")
    outcome = session.run(
        f"import os\nos.chdir('{DATA_PATH}')\nos.symlink({str(secret)!r}, 'link.txt')\n"
        "os.symlink('/', 'root')\nos.mkfifo('pipe')"
    )
    assert (outcome.error, outcome.files) == (None, ())
    session.put("link.txt", b"new content")
    assert secret.read_text() == "host secret"


def test_a_folder_without_permissions_does_not_stop_the_clean_up(sandbox):
    session = sandbox.open("locked")
    session.run(f"import os\nos.makedirs('{DATA_PATH}/a/b')\nos.chmod('{DATA_PATH}/a', 0)")
    session.close()
    assert session._folder.exists() is False


def test_closing_the_sandbox_removes_every_file_and_process(sandbox):
    with sandbox_of(name_of(sandbox)) as other:
        session = other.open("gone")
        session.run("x = 1")
        folder, process = session._folder, session._interpreter._process
    assert not folder.exists()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(RuntimeError, match="closed"):
        session.run("print(x)")


def test_a_closed_session_makes_room_for_a_new_one_of_its_key(sandbox):
    sandbox.open("again").run("x = 1")
    sandbox.open("again").close()
    assert sandbox.open("again").run("print(x)").error == "NameError: name 'x' is not defined"
    sandbox.open("again").close()


def test_sessions_run_side_by_side_from_several_threads(sandbox):
    def work(number):
        return sandbox.open(f"thread-{number}").run(f"x = {number}\nprint(x * 2)").logs

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(6))) == [f"{number * 2}\n" for number in range(6)]
    for number in range(6):
        sandbox.open(f"thread-{number}").close()


def test_a_session_outlives_the_thread_that_opened_it(sandbox):
    thread = threading.Thread(target=lambda: sandbox.open("elsewhere").run("x = 9"))
    thread.start()
    thread.join()
    assert sandbox.open("elsewhere").run("print(x)").logs == "9\n"
    sandbox.open("elsewhere").close()


@pytest.mark.skipif(sys.platform != "linux", reason="relies on /proc")
def test_when_this_process_is_killed_its_sessions_end_too(sandbox):
    isolation = name_of(sandbox)
    script = (
        "import os, signal\nfrom harness.server.sandbox import Sandbox\n"
        f"session = Sandbox(isolations=[{isolation!r}]).open('a')\nsession.run('x = 1')\n"
        "print(session._interpreter._process.pid, session._folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pid, folder = ended.stdout.split()
    assert ended.returncode == -signal.SIGKILL
    wait_for_end_of(int(pid))
    shutil.rmtree(Path(folder).parent)


def wait_for_end_of(pid):
    """Blocks until the process is gone; its end is an event, not a matter of time."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    assert select.select([watch], [], [], 120)[0], "the session outlived its parent by 120 s"
    os.close(watch)


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can be somebody else")
def test_a_user_that_runs_something_already_is_none_to_run_code_as(monkeypatch):
    monkeypatch.setattr(isolation, "_FREE_USERS", range(61_199, 61_202))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=61_200) as process:
        assert {isolation._free_user() for _ in range(50)} == {61_199, 61_201}
        process.communicate()


def test_no_isolation_at_all_is_one_clear_error():
    with (
        Sandbox(isolations=[]) as sandbox,
        pytest.raises(HarnessError, match="this machine has no isolation") as caught,
    ):
        sandbox.open("any")
    assert caught.value.code == "sandbox-unavailable"
    assert "bubblewrap" in caught.value.hint


# What only real isolation keeps away.


def test_there_is_no_network_in_bubblewrap(isolated_session):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
        assert isolated_session.run(code).error.startswith(("ConnectionRefusedError", "OSError"))
    assert isolated_session.run("import os; print(os.listdir('/sys/class/net'))").error is not None


def test_files_of_this_machine_cannot_be_seen_in_bubblewrap(isolated_session, tmp_path):
    (tmp_path / "secret.txt").write_text("host secret")
    hidden = [
        str(tmp_path / "secret.txt"),
        __file__,
        "/etc/passwd",
        "/etc/shadow",
        str(Path.home() / ".bashrc"),
    ]
    code = f"import os\nprint([path for path in {hidden!r} if os.path.exists(path)])"
    assert isolated_session.run(code).logs == "[]\n"


def test_the_system_cannot_be_written_in_bubblewrap(isolated_session):
    code = (
        "import os\nwritten = []\nlibrary = os.path.dirname(os.__file__)\n"
        "for folder in ('/', '/usr', '/etc', '/dev', '/mnt', '/proc', library):\n"
        "    try: open(folder + '/probe', 'w')\n    except OSError: continue\n"
        "    written.append(folder)\nprint(written)"
    )
    assert isolated_session.run(code).logs == "[]\n"


def test_other_processes_cannot_be_seen_or_signalled_in_bubblewrap(isolated_session):
    code = (
        f"import os\nprint(len([p for p in os.listdir('/proc') if p.isdigit()]))\nos.kill({os.getpid()}, 0)"
    )
    outcome = isolated_session.run(code)
    assert int(outcome.logs.split()[0]) <= 3
    assert outcome.error.startswith("ProcessLookupError")


def test_no_privilege_is_left_in_bubblewrap(isolated_session):
    status = isolated_session.run("print(open('/proc/self/status').read())").logs
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (lines["CapEff"], lines["CapPrm"], lines["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")


def test_a_background_process_ends_with_its_session_in_bubblewrap():
    with sandbox_of("bubblewrap") as sandbox:
        session = sandbox.open("background")
        outcome = session.run("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)")
        if outcome.error:
            pytest.skip("no process can be started in this isolation")
        namespace = Path(f"/proc/{session._interpreter._process.pid}")
        session.close()
        assert not namespace.exists()


def test_packages_of_an_environment_below_tmp_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has a /tmp of its own, which must not cover an environment that lies there."""
    package = Path(tempfile.mkdtemp(dir="/tmp")) / "site-packages"
    package.mkdir()
    (package / "only_here.py").write_text("ANSWER = 42\n")
    for folder in (package.parent, package):
        folder.chmod(0o755)
    monkeypatch.setattr(sys, "path", [*sys.path, str(package)])
    try:
        with Sandbox(isolations=ISOLATIONS) as sandbox:
            outcome = sandbox.open("thread").run("import only_here\nprint(only_here.ANSWER)")
    finally:
        shutil.rmtree(package.parent)
    assert (outcome.error, outcome.logs.strip()) == (None, "42")


# Attempts to get out, to cheat, and to do harm.


def test_the_interpreters_own_answer_cannot_be_told_by_the_code_before_its_end(session):
    """Code can write to the pipe that carries results; a lie costs its own session, and no one else's."""
    forged = (
        "import os\nfor fd in range(3, 20):\n"
        '    try: os.write(fd, b\'{"run": 1, "error": null}\\n\')\n    except OSError: pass\n'
    )
    outcome = session.run(forged + "raise ValueError('what really happened')")
    assert (outcome.images, outcome.files) == ((), ())
    assert session.run("print('alive')").logs.endswith("alive\n")


def test_output_that_is_no_text_comes_back_as_text(session):
    outcome = session.run("import os\nos.write(1, b'\\xff\\xfe\\x00ok\\n')\nprint('\\ud800')")
    assert outcome.error is None
    assert outcome.logs.endswith("\\ud800\n")
    assert "ok" in outcome.logs
    outcome.logs.encode()


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout.close()",
        "import os; os.close(1)",
        "import sys; sys.stdout = None; sys.stderr = None",
        "import os; os.close(1); os.close(2)",
        "import sys; sys.modules.clear()",
        "import builtins; builtins.__dict__.clear()",
        "import os\nfor name in list(os.environ): del os.environ[name]",
        "import sys; sys.setrecursionlimit(10**6)",
        "raise KeyboardInterrupt",
        "import signal, os; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.kill(os.getpid(), 15)",
    ],
)
def test_what_code_does_to_its_own_interpreter_does_not_outlast_its_session(sandbox, code):
    session = sandbox.open("spoilt")
    session.run(code)
    session.rest()
    assert session.run("print('alive')").logs == "alive\n"
    session.close()


def test_code_that_never_comes_back_from_c_is_ended(sandbox):
    with sandbox_of(name_of(sandbox), Limits(wall_s=1, cpu_s=30)) as strict:
        session = strict.open("re")
        outcome = session.run("import re\nre.match('(a+)+$', 'a' * 64 + 'b')")
        assert outcome.error.startswith("TimeoutError")
        assert session.run("print('alive')").logs == "alive\n"


def test_threads_beyond_the_limit_are_refused(session):
    code = (
        "import threading\nstop = threading.Event()\nmade = 0\n"
        "try:\n    while made < 5000:\n        threading.Thread(target=stop.wait, daemon=True).start()\n"
        "        made += 1\nexcept RuntimeError: pass\nstop.set()\nprint(made < 5000)"
    )
    outcome = session.run(code)
    assert outcome.logs == "True\n" or outcome.error is not None
    assert session.run("print('alive')").logs.endswith("alive\n")


def test_names_of_any_kind_come_back_as_files_and_ten_thousand_files_do_not(session):
    code = (
        f"import os\nos.chdir('{DATA_PATH}')\n"
        "for name in ('a\\nb.txt', 'x' * 255, '\\udcff.txt', '..b', 'ü\\u202e.csv'):\n"
        "    open(name, 'w').write('1')\n"
        "for name in ('x' * 4096, 'a\\0b', '../../outside'):\n"
        "    try: open(name, 'w').write('1')\n    except (OSError, ValueError): print('refused')\n"
    )
    outcome = session.run(code)
    assert outcome.error is None
    for made in outcome.files:
        made.name.encode("utf-8")
        assert made.name.isprintable()
        assert "/" not in made.name
        assert made.path.startswith(f"{DATA_PATH}/")
    many = session.run(f"for i in range(10_000): open(f'{DATA_PATH}/{{i}}', 'w').close()")
    assert many.error.startswith("OSError: the code made more than 5,000 files")
    assert session.run(f"import os; print(len(os.listdir('{DATA_PATH}')))").logs == "5\n"


def test_a_hard_link_gives_away_nothing_that_the_code_could_not_read(session, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("host secret")
    secret.chmod(0o600)
    link = f"os.link({str(secret)!r}, '{DATA_PATH}/hard.txt')"
    code = f"import os\ntry: {link}\nexcept OSError as error: print('refused')"
    outcome = session.run(code)
    if outcome.files:  # without isolation, and as the user that the file belongs to
        assert secret.stat().st_uid == os.getuid()
        pytest.skip("nothing keeps files apart here")
    assert outcome.logs == "refused\n"


@pytest.mark.skipif(sys.platform != "linux", reason="relies on Linux")
def test_no_socket_leads_out_of_bubblewrap(isolated_session, tmp_path):
    import socket

    path, name = tmp_path / "server.sock", f"harness-test-of-sockets-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        named.bind(str(path))
        named.listen()
        abstract.bind(f"\0{name}")
        abstract.listen()
        code = (
            "import socket\n"
            f"def tried(family, address):\n"
            "    with socket.socket(family, socket.SOCK_STREAM) as one:\n"
            "        one.settimeout(2)\n"
            "        try: one.connect(address)\n"
            "        except OSError: return 'refused'\n"
            "        return 'connected'\n"
            f"print(tried(socket.AF_UNIX, {str(path)!r}),\n"
            f"      tried(socket.AF_UNIX, '\\0{name}'))\n"
            "try:\n"
            "    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)\n"
            "    link.bind((0, 0))\n"
            "except OSError: pass\n"
            "print([name for _, name in socket.if_nameindex()])"
        )
        outcome = isolated_session.run(code)
    lines = outcome.logs.splitlines()
    assert lines[0] == "refused refused"
    assert lines[1:] == ["['lo']"] or outcome.error is not None


@pytest.mark.parametrize(
    "attempt",
    [
        "libc.mount(b'none', b'/mnt', b'tmpfs', 0, None)",
        "libc.chroot(b'/tmp')",
        "libc.pivot_root(b'/tmp', b'/tmp')",
        "libc.sethostname(b'evil', 4)",
        "libc.ptrace(16, HOST, 0, 0)",
        "libc.kill(HOST, 9)",
        "libc.mknod(b'/tmp/sda', 0o60600, 0x800)",
        "libc.setuid(1)",
    ],
)
def test_privileged_calls_are_refused_in_bubblewrap(isolated_session, attempt):
    code = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    code += f"print({attempt.replace('HOST', str(os.getpid()))})"
    outcome = isolated_session.run(code)
    assert outcome.logs == "-1\n"
    assert isolated_session.run("print('alive')").logs == "alive\n"


def test_a_namespace_of_its_own_gives_code_nothing_new_in_bubblewrap(isolated_session, tmp_path):
    (tmp_path / "secret.txt").write_text("host secret")
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.unshare(0x10000000 | 0x00020000)\nlibc.mount(b'none', b'/', None, 0x44000, None)\n"
        f"print(os.path.exists({str(tmp_path / 'secret.txt')!r}), os.path.exists('/etc/passwd'))"
    )
    outcome = isolated_session.run(code)
    assert outcome.logs == "False False\n" or outcome.error is not None


def test_only_harmless_devices_are_there_in_bubblewrap(isolated_session):
    code = "import os\nprint(sorted(name for name in os.listdir('/dev')))"
    found = set(eval(isolated_session.run(code).logs))
    assert found <= {
        *("console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm"),
        *("stderr", "stdin", "stdout", "tty", "urandom", "zero"),
    }


def test_a_process_that_forks_twice_ends_with_its_session_in_bubblewrap():
    with sandbox_of("bubblewrap") as sandbox:
        session = sandbox.open("orphan")
        code = (
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        os.closerange(3, 64)\n"
            "        time.sleep(600)\n    os._exit(0)\nos.wait()\nprint(os.getpid())"
        )
        outcome = session.run(code)
        if outcome.error:
            pytest.skip("no process can be started in this isolation")
        first = session._interpreter._process.pid
        inside = descendants(first)
        session.close()
        for pid in inside:
            wait_for_end_of(pid)


def descendants(pid):
    """All processes below this one."""
    found, open_ends = [], [pid]
    while open_ends:
        parent = open_ends.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            children = [int(child) for child in task.read_text().split()]
            found += children
            open_ends += children
    return found


def test_the_harness_itself_cannot_be_reached_through_an_import(isolated_session):
    outcome = isolated_session.run("import harness.server.app as app\nprint(app.App)")
    assert outcome.error is not None or "harness" in outcome.logs
    # Where the package is installed its code can be read like that of any package; its memory cannot.
    state = isolated_session.run(
        "import gc\nprint([o for o in gc.get_objects() if type(o).__name__ == 'State'])"
    )
    assert state.logs == "[]\n"
