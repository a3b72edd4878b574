// A form is sent once, however often its button is pressed: the answer to the first is what counts.
const PATIENCE = 10_000;

function send(event) {
  const form = event.target;
  // Scripts that send a form themselves look after that themselves.
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, PATIENCE);
}

document.addEventListener("submit", send);
// Whoever comes back to the page by the browser's history may send it again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
