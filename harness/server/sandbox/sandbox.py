"""The sandbox of a server: chooses the best isolation there is and keeps the sessions."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.errors import HarnessError
from harness.server.sandbox.interpreter import Ended
from harness.server.sandbox.isolation import APART, Isolation, IsolationName, candidates
from harness.server.sandbox.limits import Limits
from harness.server.sandbox.session import SandboxSession

_DEFAULT_LIMITS = Limits()


class Sandbox:
    """Runs Python code in processes of its own, one for each key, kept apart from this machine.

    Nothing is started before it is needed. Every isolation that may be used is tried once, best first, by
    starting an interpreter in it.

    Args:
        limits: What each session may use.
        isolations: The isolations that may be used; without ``limits`` among them no code is run on a
            machine that has no other.
    """

    def __init__(
        self, limits: Limits = _DEFAULT_LIMITS, *, isolations: Sequence[IsolationName] = APART
    ) -> None:
        self._limits = limits
        self._allowed = tuple(isolations)
        self._lock = threading.RLock()
        self._sessions: dict[str, SandboxSession] = {}
        self._made = 0
        self._chosen: Isolation | None = None
        self._refused: HarnessError | None = None
        self._closed = False
        # Removed with everything in it when closed or, at the latest, with this process.
        self._folder = tempfile.TemporaryDirectory(prefix="harness-sandbox-", ignore_cleanup_errors=True)
        Path(self._folder.name).chmod(0o711)
        # Processes are bound to the life of the thread that starts them, so that one outlives its user.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="harness-sandbox")

    @property
    def isolation(self) -> str:
        """Which isolation is active, in words: its name, a colon, what is out of reach."""
        return self._isolation().description

    def open(self, key: str) -> SandboxSession:
        """The session of this key, made when there is none that is open.

        Raises:
            HarnessError: No interpreter can be started (code ``sandbox-unavailable``).
        """
        with self._lock:
            self._refuse_closed()
            self._sessions = {name: kept for name, kept in self._sessions.items() if not kept.closed}
            if key not in self._sessions:
                self._sessions[key] = self._session(self._isolation())
            return self._sessions[key]

    def close(self) -> None:
        """Ends all sessions and removes their files; may be called twice."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            session.close()
        self._starter.shutdown()
        self._folder.cleanup()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this sandbox is closed")

    def _isolation(self) -> Isolation:
        with self._lock:
            self._refuse_closed()
            if self._refused is not None:
                raise self._refused
            if self._chosen is None:
                self._chosen = self._first_that_works()
            return self._chosen

    def _first_that_works(self) -> Isolation:
        refusals = []
        for isolation in candidates(self._allowed):
            refusal = self._refusal(isolation)
            if refusal is None:
                return isolation
            refusals.append(f"{isolation.name}: {refusal}")
        tried = "; ".join(refusals) or "nothing that was allowed is available"
        self._refused = HarnessError(
            f"code is not run here: this machine has no isolation for it ({tried})",
            code="sandbox-unavailable",
            hint="install bubblewrap (Debian, Fedora: package bubblewrap); or, where the code may reach the "
            "network and every file that you can read, give --allow-unisolated-code",
        )
        raise self._refused

    def _refusal(self, isolation: Isolation) -> str | None:
        """Why the isolation does not work here; None when it does."""
        session = self._session(isolation)
        try:
            session.start()
        except (Ended, OSError) as error:
            return (str(error).strip().splitlines() or ["the interpreter ended"])[-1]
        finally:
            session.close()
        return None

    def _session(self, isolation: Isolation) -> SandboxSession:
        self._made += 1
        return SandboxSession(Path(self._folder.name) / str(self._made), self._limits, isolation, self._start)

    def _start(self, line: list[str], variables: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
        return self._starter.submit(_popen, line, variables, folder).result()


def _popen(line: list[str], variables: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        line,
        env=variables,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
