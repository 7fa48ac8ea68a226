"""A stream of an endpoint, read in a thread of its own so that whoever waits for it can look up meanwhile."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.clock import Clock

if TYPE_CHECKING:
    import openai

LOOK_UP_EVERY_S = 0.1
"""How long a silence is before whoever waits may look whether the answer is still wanted."""
_MOST_UNREAD = 256
"""An endpoint that is faster than its reader waits."""


class FellSilent(Exception):
    """Nothing came for too long.

    Attributes:
        begun: Whether something had come before.
    """

    def __init__(self, *, begun: bool) -> None:
        super().__init__()
        self.begun = begun


class BrokeOff(Exception):
    """The connection failed in the middle of the stream."""


class Reading:
    """Opens a stream and reads it.

    Args:
        open_stream: Sends the request; may take its time.
        first_s: Longest wait for the first chunk.
        between_s: Longest wait for each of the others.
        clock: What waits are measured by.
    """

    def __init__(
        self,
        open_stream: Callable[[], openai.Stream[object]],
        *,
        first_s: float,
        between_s: float,
        clock: Clock,
    ) -> None:
        self._open = open_stream
        self._first_s = first_s
        self._between_s = between_s
        self._clock = clock
        self._news: queue.Queue[tuple[str, Any]] = queue.Queue(_MOST_UNREAD)
        self._lock = threading.Lock()
        self._stream: openai.Stream[object] | None = None
        self._given_up = False

    def chunks(self) -> Generator[object, None, None]:
        """Every chunk; None for each moment in which there was none. Closing it hangs up.

        Raises:
            FellSilent: Nothing came for too long.
            BrokeOff: The connection failed in the middle.
            openai.APIError: The endpoint refused, or could not be reached.
        """
        threading.Thread(target=self._read, name="harness-remote", daemon=True).start()
        begun, deadline = False, self._clock.monotonic() + self._first_s
        try:
            while True:
                try:
                    kind, value = self._news.get(timeout=LOOK_UP_EVERY_S)
                except queue.Empty:
                    if self._clock.monotonic() >= deadline:
                        raise FellSilent(begun=begun) from None
                    yield None
                    continue
                if kind == "end":
                    return
                if kind == "failed":
                    raise value
                begun, deadline = True, self._clock.monotonic() + self._between_s
                yield value
        finally:
            self._hang_up()

    def _read(self) -> None:
        """What the thread does; whatever goes wrong is told to whoever waits."""
        try:
            stream = self._open()
            if not self._kept(stream):
                stream.close()
                return
            for chunk in self._of(stream):
                self._tell("chunk", chunk)
                if self._given_up:
                    return
            self._tell("end", None)
        except Exception as problem:  # noqa: BLE001 - raised again where the chunks are read
            self._tell("failed", problem)

    def _tell(self, kind: str, value: object) -> None:
        while not self._given_up:
            try:
                return self._news.put((kind, value), timeout=LOOK_UP_EVERY_S)
            except queue.Full:
                continue

    def _kept(self, stream: openai.Stream[object]) -> bool:
        with self._lock:
            self._stream = stream
            return not self._given_up

    def _of(self, stream: openai.Stream[object]) -> Iterator[object]:
        """The chunks; an endpoint that knows no streams sends its whole answer, which counts as one."""
        import openai

        try:
            if "json" in stream.response.headers.get("content-type", ""):
                stream.response.read()
                yield stream.response.json()
            else:
                yield from stream
        except openai.APIConnectionError as problem:
            raise BrokeOff(str(problem.__cause__ or problem)) from problem
        except (openai.APIError, ValueError):
            raise
        except Exception as problem:  # versions of the client differ in what they raise
            raise BrokeOff(str(problem) or type(problem).__name__) from problem
        finally:
            stream.close()

    def _hang_up(self) -> None:
        """Let go of the endpoint, also in the middle of a wait for it."""
        with self._lock:
            self._given_up = True
            stream = self._stream
        if stream is None:
            return
        network = stream.response.extensions.get("network_stream")
        connection = network.get_extra_info("socket") if network is not None else None
        if connection is not None and not stream.response.is_closed:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
