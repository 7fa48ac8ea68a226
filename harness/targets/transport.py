"""aiohttp under the openai client: a request costs half of what it does on the client's usual transport.

The client builds requests and judges answers as ever; only what carries them is another. It is used where
nothing stands between here and the server; through a proxy goes the client's own transport.
"""

from __future__ import annotations

import importlib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import openai
from yarl import URL

_STREAM = "text/event-stream"


def transport_to(url: str) -> Transport | None:
    """What carries requests to this address; None where a proxy stands before it."""
    address = urlsplit(url)
    proxied = getproxies().keys() & {address.scheme, "all"}
    if proxied and not proxy_bypass(address.hostname or ""):
        return None
    return Transport()


def http_package() -> Any:
    """The package by which this version of the openai client makes requests: httpx2, before it httpx."""
    client = next(each for each in openai.DefaultAsyncHttpxClient.__mro__ if each.__name__ == "AsyncClient")
    return importlib.import_module(client.__module__.partition(".")[0])


class Transport:
    """Carries requests by one aiohttp session, which begins with the first of them.

    There is no bound on connections: how many trials run at a time, and their limits, are decided elsewhere.
    """

    def __init__(self) -> None:
        self._package = http_package()
        self._stream_of = _stream_class(self._package)
        self._session: aiohttp.ClientSession | None = None
        self._trusted: ssl.SSLContext | None = None

    async def handle_async_request(self, request: Any) -> Any:
        """The response to a request; a stream of events is read as it comes, anything else is whole."""
        if self._session is None:
            self._session = _begun()
        with self._translating():
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                ssl=self._secured() if request.url.scheme == "https" else True,
                allow_redirects=False,
                timeout=_timeout(request.extensions.get("timeout") or {}),
            )
            if answer.content_type == _STREAM and answer.status == 200:
                body = {"stream": self._stream_of(answer, self._translating)}
            else:
                body = {"content": await answer.read()}
        return self._package.Response(answer.status, headers=answer.raw_headers, **body)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _secured(self) -> ssl.SSLContext:
        """Trusts what the client's own transport would. Made when needed: it takes 0.04 s, and 4 MB."""
        if self._trusted is None:
            self._trusted = self._package.create_ssl_context()
        return self._trusted

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """What goes wrong, in the words of the client's own package, which the client then tells."""
        try:
            yield
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> Exception:
        for kind, name in _ERRORS:
            if isinstance(error, kind):
                told: Exception = getattr(self._package, name)(str(error) or type(error).__name__)
                return told
        return error


def _begun() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


# From the particular to the general: the first that fits is the error's.
_ERRORS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ConnectionTimeoutError, "ConnectTimeout"),
    (TimeoutError, "ReadTimeout"),
    (aiohttp.ClientConnectorError, "ConnectError"),
    (aiohttp.InvalidURL, "UnsupportedProtocol"),
    (aiohttp.ClientConnectionError, "ReadError"),
    (aiohttp.ClientError, "RemoteProtocolError"),
)


def _timeout(asked: dict[str, float | None]) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=asked.get("connect"), sock_read=asked.get("read"))


def _stream_class(package: Any) -> Any:
    """The kind of stream that the client's package asks for, over an answer of aiohttp."""

    class Stream(package.AsyncByteStream):  # type: ignore[misc]  # of whichever package the client is built on
        """The bytes of an answer as they come."""

        def __init__(self, answer: aiohttp.ClientResponse, translating: Any) -> None:
            self._answer = answer
            self._translating = translating

        async def __aiter__(self) -> AsyncIterator[bytes]:
            with self._translating():
                async for chunk in self._answer.content.iter_any():
                    yield chunk

        async def aclose(self) -> None:
            """Let go of the connection: for the next request when all was read, else for good."""
            self._answer.release()

    return Stream
