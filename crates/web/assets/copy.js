// Buttons that copy the text of another element.
const status = document.querySelector("[data-copied]");

// Without https browsers have no clipboard for scripts, but most still copy what is selected.
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

async function press(button, label) {
  const source = document.getElementById(button.dataset.copy);
  const isCopied = await copy(source);
  button.textContent = isCopied ? "Copied" : "Selected";
  status.textContent = isCopied ? "Copied." : "Selected. Copy it with the keyboard.";
  if (isCopied) document.dispatchEvent(new CustomEvent("copied", { detail: source.id }));
  clearTimeout(button.waiting);
  button.waiting = setTimeout(() => {
    button.textContent = label;
    status.textContent = "";
  }, 2_000);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", () => press(button, label));
}
