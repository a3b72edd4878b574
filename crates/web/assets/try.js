// Makes the calls of the reference from the page itself, as whoever is signed in.
function target(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const { name, value, dataset } of form.querySelectorAll("input")) {
    if (dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value) query.set(name, value);
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

async function read(response) {
  const text = await response.text();
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(form) {
  const status = form.querySelector("[role=status]");
  const answer = form.querySelector("pre");
  const body = form.querySelector("textarea")?.value;
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  status.textContent = "Waiting for the response…";
  answer.hidden = true;
  try {
    const response = await fetch(target(form), { method: form.dataset.method, headers, body });
    answer.textContent = await read(response);
    answer.hidden = answer.textContent === "";
    status.textContent = `${response.status} ${response.statusText}`;
  } catch {
    status.textContent = "There was no response. Is keygate running?";
  }
}

for (const form of document.querySelectorAll("[data-path]")) {
  form.closest("details").hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
