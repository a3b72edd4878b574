// The secret is on this page and nowhere else: leaving it uncopied asks first, and reloading shows the
// key's own page.
const secret = document.querySelector("[data-secret]");
let isCopied = false;

history.replaceState(null, "", secret.dataset.page);
addEventListener("beforeunload", (event) => {
  if (!isCopied) event.preventDefault();
});

// Whoever copies by hand has copied, too, and one of the snippets has the key in it.
document.addEventListener("copy", () => { isCopied = true; });
document.addEventListener("copied", () => { isCopied = true; });
