"""What a killed server left unfinished: runs and responses end, indexing goes on."""

from __future__ import annotations

from harness.server.engine import states
from harness.server.engine.library import Library
from harness.server.state import ResponseRecord, RunRecord, State
from harness.server.wire import VectorStoreFile

_ERROR = {"code": "server_error", "message": "The server was restarted while this was being worked on."}


def recover(state: State, library: Library, now: int) -> None:
    """Bring everything that was being worked on to an end, as the API would, or have it done again.

    A run that waits for tool outputs goes on waiting: nobody was working on it.
    """
    library.forget_deleted()
    with state.lock:
        for row in state.unfinished():
            if isinstance(row, RunRecord):
                _end_run(state, row, now)
            elif isinstance(row, ResponseRecord):
                _end_response(row)
            elif isinstance(row, VectorStoreFile):
                _index_again(state, library, row)


def _end_run(state: State, record: RunRecord, now: int) -> None:
    thread = state.threads.get(record.run.thread_id)
    if thread is None:
        return
    states.look(state, thread, now)
    if record.run.status == "cancelling":
        states.end(thread, record, "cancelled", now)
    elif record.run.status in ("queued", "in_progress"):
        states.end(thread, record, "failed", now, last_error=_ERROR)


def _end_response(record: ResponseRecord) -> None:
    record.response.status = "failed"
    record.response.error = dict(_ERROR)
    record.close_open_items()


def _index_again(state: State, library: Library, row: VectorStoreFile) -> None:
    store, file = state.stores.get(row.vector_store_id), state.files.get(row.id)
    if store is None or row.id not in store.files:
        row.status = "cancelled"
    elif file is None:
        row.status, row.last_error = "failed", {"code": "server_error", "message": "The file was deleted."}
    else:
        library.index_later(store, file, row)
