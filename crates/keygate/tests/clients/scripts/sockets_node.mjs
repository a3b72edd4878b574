// OpenAI's package for Node, over WebSockets: what is said on each, and how each ends. It speaks TLS on those.

import { asked, load } from "./common.mjs";

const { default: OpenAI } = await load("openai");
const { OpenAIRealtimeWS } = await load("openai/realtime/ws");
const { ResponsesWS } = await load("openai/resources/responses/ws");
const client = (apiKey) => new OpenAI({ baseURL: `${asked.url}/v1`, apiKey, maxRetries: 0 });
const sockets = (key) => ({
  realtime: new OpenAIRealtimeWS({ model: "tiny" }, client(key)),
  responses: new ResponsesWS(client(key)),
});

const opened = sockets(asked.key);
const [texts, ends] = [{}, {}];
const over = Object.entries(opened).map(async ([name, socket]) => {
  const failed = new Promise((resolve) => socket.on("error", resolve));
  // That of realtime has no such event of its own.
  const closer = name === "realtime" ? socket.socket : socket;
  const closed = new Promise((resolve) => closer.on("close", resolve));
  const { error } = await failed;
  // That of responses gives the whole event.
  ends[name] = [(error?.error ?? error)?.code, await closed];
});
// What is sent before that is lost.
await new Promise((resolve) => opened.realtime.socket.on("open", resolve));
for (const [name, socket] of Object.entries(opened)) {
  texts[name] = "";
  await new Promise((resolve) => {
    socket.on("event", (event) => {
      if (event.type.endsWith("output_text.delta")) texts[name] += event.delta;
      if (["response.done", "response.completed"].includes(event.type)) resolve();
    });
    socket.send({ type: "response.create" });
  });
}
console.log("open");
await Promise.all(over);

const refusals = {};
const refused = Object.entries(sockets("ask_unknown")).map(async ([name, socket]) => {
  const { message } = await new Promise((resolve) => socket.on("error", resolve));
  refusals[name] = Number(/\d{3}/.exec(message)?.[0]);
});
await Promise.all(refused);
console.log(JSON.stringify({ texts, ends, refusals }));
process.exit();
