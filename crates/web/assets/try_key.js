// Calls the API with the new key. A page may call only where it comes from, so this is shown where the API is there, too.
const section = document.querySelector("[data-try]");
const base = section.dataset.try;
const [models, chat] = ["models", "chat"].map((name) => section.querySelector(`[data-call=${name}]`));
const status = section.querySelector("[role=status]");
const answer = section.querySelector("pre");
const key = document.getElementById("secret").textContent;

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What is worth reading of it: why it failed, what the model said, or else all of it. */
function gist(text) {
  const json = parsed(text);
  const said = [json?.error?.message, json?.choices?.[0]?.message?.content].find((one) => one && typeof one === "string");
  return said ?? (json ? JSON.stringify(json, null, 2) : text);
}

const MOST_BYTES = 64 * 1024;
const MOST_TIME = 60_000;

/** The beginning of an answer's text; more than anybody reads is left where it is. */
async function beginning(response) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  for (let bytes = 0; bytes < MOST_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    text += decoder.decode(value, { stream: true });
  }
  reader.cancel();
  return text.slice(0, MOST_BYTES);
}

/** The text of the answer; none if there was no answer. */
async function send(path, method, body) {
  const headers = { Authorization: `Bearer ${key}`, ...(body && { "Content-Type": "application/json" }) };
  const begin = performance.now();
  try {
    const signal = AbortSignal.timeout(MOST_TIME);
    const response = await fetch(base + path, { method, headers, body, signal, credentials: "omit" });
    const text = await beginning(response);
    const time = Math.round(performance.now() - begin);
    status.textContent = `${response.status} ${response.statusText}`.trim() + `, ${time} ms`;
    return text;
  } catch (error) {
    const isLate = error.name === "TimeoutError";
    status.textContent = isLate ? "There was no answer within a minute." : "There was no answer. Is keygate running?";
    return "";
  }
}

async function call(form, path, method, body) {
  const button = form.querySelector("button");
  if (button.ariaDisabled) return "";
  button.ariaDisabled = "true";
  status.textContent = "Waiting for the answer…";
  answer.hidden = true;
  const text = await send(path, method, body);
  answer.textContent = gist(text);
  answer.hidden = answer.textContent === "";
  button.ariaDisabled = null;
  return text;
}

async function list() {
  const text = await call(models, "/models", "GET");
  const first = parsed(text)?.data?.[0]?.id;
  if (!chat || !first) return;
  chat.elements.model.value = first;
  chat.hidden = false;
}

function sayHello() {
  const messages = [{ role: "user", content: "Hello" }];
  const body = JSON.stringify({ model: chat.elements.model.value, messages });
  return call(chat, "/chat/completions", "POST", body);
}

for (const [form, act] of [[models, list], [chat, sayHello]]) {
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}
section.hidden = new URL(base).origin !== location.origin;
