// Vector stores: batches that are uploaded and polled, a run that searches them and cites what it found.
import { createReadStream } from "node:fs";
import { toFile } from "openai";

const CONTENT = "step_details.tool_calls[*].file_search.results[*].content";

export default async function play(client, { path }) {
  const store = await client.vectorStores.create({ name: "kb" });
  const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, {
    files: [createReadStream(path), await toFile(Buffer.from("no pdf"), "broken.pdf")],
  });
  const rows = [];
  for await (const row of client.vectorStores.files.list(store.id, { limit: 1 })) rows.push(row.status);
  const hits = await client.vectorStores.search(store.id, { query: "moon" });

  const { threads } = client.beta;
  const assistant = await client.beta.assistants.create({
    model: "gpt-4o",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });
  const run = await threads.createAndRunPoll({
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: "What is the moon made of?" }] },
  });
  const messages = await threads.messages.list(run.thread_id);
  const { value, annotations } = messages.data[0].content[0].text;
  const steps = await threads.runs.steps.list(run.id, {
    thread_id: run.thread_id,
    order: "asc",
    include: [CONTENT],
  });
  const [call] = steps.data[0].step_details.tool_calls;
  const [{ start_index, end_index, text, file_citation }] = annotations;

  return {
    batch: [batch.status, batch.file_counts.completed, batch.file_counts.failed],
    rows: rows.sort(),
    hit: hits.data[0].filename,
    run: [run.status, run.usage.total_tokens === run.usage.prompt_tokens + run.usage.completion_tokens],
    answer: value,
    marked: value.slice(start_index, end_index) === text,
    cited: (await client.files.retrieve(file_citation.file_id)).filename,
    found: call.file_search.results[0].content[0].text,
    deleted: (await client.vectorStores.delete(store.id)).deleted,
  };
}
