// The button is there for use once the name stands in the field.
const form = document.querySelector("[data-confirm]");
const button = form.querySelector("button");
const field = form.elements.confirm;

function compare() {
  button.disabled = field.value.trim() !== form.dataset.confirm;
}

field.addEventListener("input", compare);
compare();
