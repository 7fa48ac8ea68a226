"""Calling a function of the user's own: sync ones in a thread of their own, async ones here."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

_Outcome = tuple[Any, Exception | None]


async def called(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """What the function returns; a sync one can't be stopped, but it holds nothing and no one up."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose call is async
    ):
        return await function(*values, **named)
    returned = await _in_own_thread(functools.partial(function, *values, **named))
    return await returned if inspect.isawaitable(returned) else returned


async def _in_own_thread(work: Callable[[], Any]) -> Any:
    """Called in a thread that dies with the program: one that hangs must not keep it from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Outcome] = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: _Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        try:
            outcome: _Outcome = context.run(work), None
        except Exception as failure:  # noqa: BLE001 - raised again where the answer is waited for
            outcome = None, failure
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="harness-function", daemon=True).start()
    returned, failure = await done
    if failure is not None:
        raise failure
    return returned
