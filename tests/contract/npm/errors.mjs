// Errors arrive as the client's own classes, with the server's words in them.
import OpenAI from "openai";

async function refusal(promise) {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return [error.constructor.name, error.status, error.code, error.param, error.error?.message ?? error.message];
  }
}

export default async function play(client) {
  const { threads } = client.beta;
  const assistant = await client.beta.assistants.create({
    model: "gpt-4o",
    tools: [{ type: "function", function: { name: "create_ticket" } }],
  });
  const run = await threads.createAndRunPoll({
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: "Open a ticket." }] },
  });
  const locked = await refusal(threads.messages.create(run.thread_id, { role: "user", content: "me too" }));
  const cancelling = await threads.runs.cancel(run.id, { thread_id: run.thread_id });
  const cancelled = await threads.runs.poll(run.id, { thread_id: run.thread_id });
  const stranger = new OpenAI({ apiKey: "sk-wrong", maxRetries: 0 });
  return {
    missing: await refusal(client.beta.assistants.retrieve("asst_none")),
    invalid: await refusal(client.beta.assistants.create({ model: "gpt-4o", temperature: 9 })),
    locked: [...locked.slice(0, 2), locked[4].replace(run.thread_id, "T").replace(run.id, "R")],
    ended: [cancelling.status, cancelled.status],
    stranger: (await refusal(stranger.models.list())).slice(0, 3),
  };
}
