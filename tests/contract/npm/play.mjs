// Plays one scenario with the openai client from npm and prints what it saw as JSON.
// Where the server is, and with which key, the client reads from OPENAI_BASE_URL and OPENAI_API_KEY.
import { writeSync } from "node:fs";
import OpenAI from "openai";

const [name, given = "{}"] = process.argv.slice(2);
const { default: play } = await import(`./${name}.mjs`);
const seen = await play(new OpenAI({ maxRetries: 0 }), JSON.parse(given));
writeSync(1, JSON.stringify(seen));
