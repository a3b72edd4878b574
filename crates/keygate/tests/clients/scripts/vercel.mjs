// Vercel's AI SDK.

import { asked, load, run } from "./common.mjs";

const { generateText, streamText } = await load("ai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const of = (apiKey, model) =>
  createOpenAICompatible({ name: "keygate", baseURL: `${asked.url}/v1`, apiKey })(model);

await run("ai", {
  async call(key, model) {
    const answer = await generateText({ model: of(key, model), prompt: "Hi", maxRetries: 0 });
    return answer.text;
  },
  async *stream(key, model) {
    yield* streamText({ model: of(key, model), prompt: "Hi", maxRetries: 0 }).textStream;
  },
  describe: (error) => ({ status: error.statusCode, request_id: error.responseHeaders?.["x-request-id"] }),
});
