// Assistants and files: created, read, changed, paged, deleted.
import { createReadStream } from "node:fs";
import { toFile } from "openai";

export default async function play(client, { path }) {
  const { assistants } = client.beta;
  const made = [];
  for (const name of ["one", "two", "three"]) {
    made.push(await assistants.create({ model: "gpt-4o", name, tools: [{ type: "code_interpreter" }] }));
  }
  const renamed = await assistants.update(made[0].id, { name: "first", metadata: { team: "a" } });
  const paged = [];
  for await (const assistant of assistants.list({ limit: 1, order: "desc" })) paged.push(assistant.name);
  const firstPage = await assistants.list({ limit: 2 });
  const deleted = await assistants.delete(made[1].id);
  const left = [];
  for await (const assistant of assistants.list()) left.push(assistant.id);

  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const inMemory = await client.files.create({ file: await toFile(bytes, "all.bin"), purpose: "user_data" });
  const streamed = await client.files.create({ file: createReadStream(path), purpose: "assistants" });
  const content = new Uint8Array(await (await client.files.content(inMemory.id)).arrayBuffer());
  const listed = [];
  for await (const file of client.files.list({ purpose: "assistants" })) listed.push(file.filename);
  const gone = await client.files.delete(inMemory.id);

  return {
    renamed: [renamed.name, renamed.metadata, (await assistants.retrieve(made[0].id)).name],
    paged,
    firstPage: [firstPage.data.length, firstPage.hasNextPage()],
    deleted: deleted.deleted,
    left: left.includes(made[1].id) ? "still there" : left.length,
    sameBytes: Buffer.compare(Buffer.from(content), Buffer.from(bytes)) === 0,
    streamed: [streamed.filename, streamed.bytes, streamed.status],
    listed,
    gone: gone.deleted,
  };
}
