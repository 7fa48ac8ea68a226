"""Server-sent events out of the bytes of a stream, as the HTML standard cuts them (section 9.2.6)."""

from __future__ import annotations

from collections.abc import Iterator


class EventReader:
    """Cuts a stream into events, however its bytes arrive; an event that was not ended is none."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """The events that end with these bytes: name (empty without one) and data."""
        lines = (self._rest + chunk).splitlines(keepends=True)
        # A line may go on with the next bytes, and a carriage return may be the first half of a line's end.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            if content := line.rstrip(b"\r\n"):
                self._take(content)
            elif self._data:
                yield self._name.decode(errors="replace"), b"\n".join(self._data)
                self._name, self._data = b"", []
            else:
                self._name = b""

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value
