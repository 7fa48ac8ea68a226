"""Calling a function of the user's own: sync ones in a thread of their own, async ones here."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

_Outcome = tuple[Any, BaseException | None]


class Quit(Exception):
    """A function of the user's own wanted to end more than itself: the program, or the task it runs in."""


@contextlib.contextmanager
def ending_alone() -> Iterator[None]:
    """What the code in it does, without the power to end the run: that would lose all other trials.

    Raises:
        Quit: It left the program, or was cancelled although nobody had asked for that here.
    """
    try:
        yield
    except SystemExit as end:
        raise _quit("it wanted to end the program", end) from end
    except asyncio.CancelledError as end:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _quit("it was cancelled from within", end) from end


def _quit(what: str, end: BaseException) -> Quit:
    return Quit(f"{what}: {end!r}").with_traceback(end.__traceback__)


async def called(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """What the function returns; a sync one can't be stopped, but it holds nothing and no one up.

    Raises:
        Quit: It wanted to end more than itself.
        Exception: What else it raised.
    """
    with ending_alone():
        return await _returned(function, *values, **named)


async def _returned(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
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
        except BaseException as failure:  # noqa: BLE001 - raised again where the answer is waited for
            outcome = None, failure
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="harness-function", daemon=True).start()
    returned, failure = await done
    if failure is not None:
        raise failure
    return returned
