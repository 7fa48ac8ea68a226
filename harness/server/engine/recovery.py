"""What a killed server left unfinished: runs and responses end, indexing goes on."""

from __future__ import annotations

from harness.server.engine import states
from harness.server.engine.machine import Engine
from harness.server.engine.responding import break_off
from harness.server.engine.response_job import ResponseJob
from harness.server.state import ResponseRecord, RunRecord
from harness.server.wire import VectorStoreFile

_ERROR = {"code": "server_error", "message": "The server was restarted while this was being worked on."}


def recover(engine: Engine) -> None:
    """Bring everything that was being worked on to an end, as the API would, or have it done again.

    A run that waits for tool outputs goes on waiting: nobody was working on it.

    Raises:
        ApiError: The state file cannot be read or written.
    """
    engine.vector_stores.forget_deleted()
    with engine.state.lock:
        for row in engine.state.unfinished():
            if isinstance(row, RunRecord):
                _end_run(engine, row)
            elif isinstance(row, ResponseRecord):
                break_off(ResponseJob(engine, row, streaming=False), _ERROR)
            elif isinstance(row, VectorStoreFile):
                _index_again(engine, row)
    engine.settle()


def _end_run(engine: Engine, record: RunRecord) -> None:
    thread, now = engine.state.threads.get(record.run.thread_id), engine.clock.unix()
    if thread is None:
        return
    states.look(engine.state, thread, now)
    if record.run.status == "cancelling":
        states.end(thread, record, "cancelled", now)
    elif record.run.status in ("queued", "in_progress"):
        states.end(thread, record, "failed", now, last_error=_ERROR)


def _index_again(engine: Engine, row: VectorStoreFile) -> None:
    store, file = engine.state.stores.get(row.vector_store_id), engine.state.files.get(row.id)
    if store is None or row.id not in store.files:
        row.status = "cancelled"
    elif file is None:
        row.status, row.last_error = "failed", {"code": "server_error", "message": "The file was deleted."}
    else:
        engine.vector_stores.index_later(store, file, row)
