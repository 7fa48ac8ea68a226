// Runs that are streamed: every event of the client's handlers, outputs of functions, code and its image.
const TICKET = {
  type: "function",
  function: { name: "create_ticket", parameters: { type: "object", properties: {} } },
};
const HEARD = [
  "messageCreated",
  "messageDone",
  "runStepCreated",
  "runStepDone",
  "toolCallCreated",
  "toolCallDone",
  "textCreated",
  "textDone",
  "imageFileDone",
  "end",
];

async function listen(stream) {
  const seen = { heard: [], text: "", code: "", arguments: "" };
  for (const name of HEARD) stream.on(name, () => seen.heard.push(name));
  stream.on("textDelta", (delta) => (seen.text += delta.value ?? ""));
  stream.on("toolCallDelta", (delta) => {
    seen.code += delta.code_interpreter?.input ?? "";
    seen.arguments += delta.function?.arguments ?? "";
  });
  const run = await stream.finalRun();
  return { ...seen, run };
}

function outputs(run) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  return calls.map((call) => ({ tool_call_id: call.id, output: call.function.arguments }));
}

export default async function play(client) {
  const { threads } = client.beta;
  const assistant = await client.beta.assistants.create({
    model: "gpt-4o",
    tools: [{ type: "code_interpreter" }, TICKET],
  });
  const thread = await threads.create({ messages: [{ role: "user", content: "Hello." }] });
  const start = (content) =>
    threads.runs.stream(thread.id, {
      assistant_id: assistant.id,
      ...(content && { additional_messages: [{ role: "user", content }] }),
    });

  const said = await listen(start());
  const drawn = await listen(start("Draw a chart."));
  const newest = (await threads.messages.list(thread.id, { limit: 1 })).data[0];
  const image = newest.content.find((part) => part.type === "image_file");
  const png = Buffer.from(await (await client.files.content(image.image_file.file_id)).arrayBuffer());

  const asked = await listen(start("Open two tickets."));
  const answered = await listen(
    threads.runs.submitToolOutputsStream(asked.run.id, {
      thread_id: thread.id,
      tool_outputs: outputs(asked.run),
    }),
  );
  const waiting = await threads.runs.createAndPoll(thread.id, {
    assistant_id: assistant.id,
    additional_messages: [{ role: "user", content: "Open a ticket." }],
  });
  const polled = await threads.runs.submitToolOutputsAndPoll(waiting.id, {
    thread_id: thread.id,
    tool_outputs: outputs(waiting),
  });
  const events = [];
  const raw = await threads.createAndRun({
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: "Hello." }] },
    stream: true,
  });
  for await (const event of raw) events.push(event.event);

  return {
    said: [said.run.status, said.text, said.heard],
    drawn: [drawn.run.status, drawn.code.includes("savefig"), drawn.heard],
    png: png.subarray(1, 4).toString(),
    asked: [asked.run.status, asked.arguments, asked.heard],
    answered: [answered.run.status, answered.text],
    waiting: waiting.status,
    polled: polled.status,
    raw: [events[0], events.at(-1)],
  };
}
