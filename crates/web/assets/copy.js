// Buttons that copy the text of another element.
const status = document.querySelector("[data-copied]");

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without https browsers have no clipboard for scripts, but they still copy what is selected.
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  const label = button.textContent;
  button.textContent = "Copied";
  status.textContent = "Copied.";
  document.dispatchEvent(new CustomEvent("copied", { detail: source.id }));
  setTimeout(() => { button.textContent = label; status.textContent = ""; }, 2_000);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
