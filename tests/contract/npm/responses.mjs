// Responses, plain and streamed, with functions and documents; conversations; chat completions; embeddings.
import { toFile } from "openai";

const LOOKUP = {
  type: "function",
  name: "create_ticket",
  parameters: { type: "object", properties: {}, additionalProperties: false },
  strict: true,
};

async function functions(client) {
  const asked = await client.responses.create({ model: "gpt-4o", input: "Open two tickets.", tools: [LOOKUP] });
  const calls = asked.output.filter((item) => item.type === "function_call");
  const answered = await client.responses.create({
    model: "gpt-4o",
    tools: [LOOKUP],
    previous_response_id: asked.id,
    input: calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: call.arguments })),
  });
  return [calls.length, answered.output_text];
}

async function documents(client) {
  const store = await client.vectorStores.create({ name: "kb" });
  const file = await toFile(Buffer.from("The moon is made of cheese."), "moon.txt");
  await client.vectorStores.files.uploadAndPoll(store.id, file);
  const tools = [{ type: "file_search", vector_store_ids: [store.id] }];
  const stream = client.responses.stream({ model: "gpt-4o", input: "What is the moon made of?", tools });
  const types = [];
  let text = "";
  stream.on("event", (event) => types.push(event.type));
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  const response = await stream.finalResponse();
  return {
    text: text === response.output_text && text,
    cited: response.output.at(-1).content[0].annotations[0].filename,
    types: [types[0], types.includes("response.file_search_call.completed"), types.at(-1)],
  };
}

async function conversation(client) {
  const talk = await client.conversations.create({ metadata: { topic: "x" } });
  await client.responses.create({ model: "gpt-4o", input: "One.", conversation: talk.id });
  await client.responses.create({ model: "gpt-4o", input: "Two.", conversation: talk.id });
  const texts = [];
  for await (const item of client.conversations.items.list(talk.id, { order: "asc", limit: 2 })) {
    texts.push(item.content[0].text);
  }
  return [texts, (await client.conversations.delete(talk.id)).deleted];
}

async function chat(client) {
  const messages = [{ role: "user", content: "Hello." }];
  const plain = await client.chat.completions.create({ model: "gpt-4o", messages });
  const stream = client.chat.completions.stream({
    model: "gpt-4o",
    messages,
    stream_options: { include_usage: true },
  });
  const streamed = await stream.finalContent();
  const usage = await stream.totalUsage();
  const runner = client.chat.completions.runTools({
    model: "gpt-4o",
    messages: [{ role: "user", content: "Open a ticket." }],
    tools: [
      {
        type: "function",
        function: {
          name: "create_ticket",
          parameters: { type: "object", properties: {} },
          parse: JSON.parse,
          function: ({ summary }) => `done: ${summary}`,
        },
      },
    ],
  });
  return [plain.choices[0].message.content, streamed, usage.total_tokens > 0, await runner.finalContent()];
}

async function embeddings(client) {
  const input = ["The moon is made of cheese.", "Cheese is what the moon is made of.", "Reset your password."];
  const { data } = await client.embeddings.create({ model: "text-embedding-3-small", input });
  const [moon, again, password] = data.map((row) => row.embedding);
  const likeness = (one, other) => one.reduce((sum, value, index) => sum + value * other[index], 0);
  return likeness(moon, again) > likeness(moon, password);
}

export default async function play(client) {
  const plain = await client.responses.create({ model: "gpt-4o", instructions: "Be kind.", input: "Hello." });
  return {
    plain: [plain.status, plain.output_text],
    functions: await functions(client),
    documents: await documents(client),
    conversation: await conversation(client),
    chat: await chat(client),
    embeddings: await embeddings(client),
  };
}
