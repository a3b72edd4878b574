// A password can be looked at before it is sent.
for (const input of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement("button");
  const show = (isShown) => {
    input.type = isShown ? "text" : "password";
    button.textContent = isShown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${button.textContent} the password`);
  };
  button.type = "button";
  button.className = "plain reveal";
  button.addEventListener("click", () => show(input.type === "password"));
  // Browsers remember what is typed as text.
  input.form.addEventListener("submit", () => show(false));
  show(false);
  input.after(button);
}
