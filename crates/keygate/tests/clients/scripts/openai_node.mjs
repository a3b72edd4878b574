// OpenAI's package for Node.

import { asked, load, messages, run } from "./common.mjs";

const { default: OpenAI } = await load("openai");
const client = (apiKey) => new OpenAI({ baseURL: `${asked.url}/v1`, apiKey, maxRetries: 0 });

await run("openai", {
  async call(key, model) {
    const answer = await client(key).chat.completions.create({ model, messages });
    return answer.choices[0].message.content;
  },
  async *stream(key, model) {
    const pieces = await client(key).chat.completions.create({ model, messages, stream: true });
    for await (const piece of pieces) yield piece.choices[0]?.delta.content ?? "";
  },
  describe: (error) => ({ status: error.status, request_id: error.requestID }),
});
