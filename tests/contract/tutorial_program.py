"""A program as it was written for the hosted API: nothing in it knows where the server is.

It reads OPENAI_BASE_URL and OPENAI_API_KEY like any program with the openai package, works with openai 1.65
(vector stores under ``client.beta``) as with later ones, and prints what it saw as JSON. The model behind
the server has to search for every question that ends with "?", and to call ``create_ticket`` for "ticket".
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import openai

MANUAL = b"The Aurora lamp has a warranty of 36 months.\n\nIts battery lasts 14 hours.\n"
SALES = b"month,revenue\n2026-01,100\n2026-02,120\n"
TICKET = {
    "type": "function",
    "function": {
        "name": "create_ticket",
        "description": "Opens a ticket for the support team.",
        "parameters": {
            "type": "object",
            "properties": {"summary": {"type": "string"}},
            "required": ["summary"],
        },
    },
}


def main() -> dict[str, Any]:
    client = openai.OpenAI()
    stores = getattr(client, "vector_stores", None) or client.beta.vector_stores
    seen: dict[str, Any] = {"openai": openai.__version__}

    assistant = client.beta.assistants.create(
        name="Lamp support",
        instructions="Answer from the manual.",
        model="gpt-4o",
        tools=[{"type": "file_search"}],
    )
    store = stores.create(name="Manuals")
    batch = stores.file_batches.upload_and_poll(
        vector_store_id=store.id,
        files=[("manual.txt", io.BytesIO(MANUAL)), ("broken.pdf", io.BytesIO(b"no pdf"))],
    )
    seen["batch"] = [batch.status, batch.file_counts.completed, batch.file_counts.failed]
    assistant = client.beta.assistants.update(
        assistant.id, tool_resources={"file_search": {"vector_store_ids": [store.id]}}
    )

    thread = client.beta.threads.create(messages=[{"role": "user", "content": "How long is the warranty?"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    answer = client.beta.threads.messages.list(thread_id=thread.id).data[0].content[0].text
    [note] = answer.annotations
    cited = client.files.retrieve(note.file_citation.file_id)
    seen["answer"] = answer.value.replace(note.text, "[1]")
    seen["cited"] = cited.filename
    seen["run"] = [
        run.status,
        run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens,
    ]

    assistant = client.beta.assistants.update(
        assistant.id, tools=[{"type": "file_search"}, {"type": "code_interpreter"}, TICKET]
    )
    seen["store_kept"] = assistant.tool_resources.file_search.vector_store_ids == [store.id]

    client.beta.threads.messages.create(thread_id=thread.id, role="user", content="Please open a ticket.")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    seen["waits"] = run.status
    outputs = [
        {"tool_call_id": call.id, "output": json.dumps({"id": "T-1", **json.loads(call.function.arguments)})}
        for call in run.required_action.submit_tool_outputs.tool_calls
    ]
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs
    )
    seen["after_outputs"] = run.status
    seen["ticket"] = client.beta.threads.messages.list(thread_id=thread.id).data[0].content[0].text.value

    sales = client.files.create(file=("sales.csv", io.BytesIO(SALES)), purpose="assistants")
    client.beta.threads.messages.create(
        thread_id=thread.id,
        role="user",
        content="Here are the numbers.",
        attachments=[{"file_id": sales.id, "tools": [{"type": "code_interpreter"}]}],
    )
    files = client.beta.threads.retrieve(thread.id).tool_resources.code_interpreter.file_ids
    seen["attached"] = files == [sales.id]

    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        stream.until_done()
        seen["streamed"] = stream.get_final_messages()[0].content[0].text.value
    seen["messages"] = len(list(client.beta.threads.messages.list(thread_id=thread.id, limit=2)))
    client.beta.threads.delete(thread.id)
    try:
        client.beta.threads.retrieve(thread.id)
    except openai.NotFoundError as error:
        seen["gone"] = error.body["message"].replace(thread.id, "THREAD")
    return seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
