// Anthropic's package for Node, with a key (`x-api-key`) or a token (`Authorization`).

import { asked, load, messages, mode, run } from "./common.mjs";

const { default: Anthropic } = await load("@anthropic-ai/sdk");
const client = (key) => new Anthropic({ baseURL: asked.url, maxRetries: 0, [mode]: key });

await run("@anthropic-ai/sdk", {
  async call(key, model) {
    const answer = await client(key).messages.create({ model, max_tokens: 8, messages });
    return answer.content[0].text;
  },
  async *stream(key, model) {
    const events = await client(key).messages.create({ model, max_tokens: 8, messages, stream: true });
    for await (const event of events) yield event.delta?.text ?? "";
  },
  describe: (error) => ({ status: error.status, request_id: error.requestID }),
});
