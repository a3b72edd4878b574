// The button is there for use once the name stands in the field.
const form = document.querySelector("[data-confirm]");
const button = form.querySelector("button");
const field = form.elements.confirm;

const plain = (text) => text.trim().normalize("NFC");

function compare() {
  button.disabled = plain(field.value) !== plain(form.dataset.confirm);
}

field.addEventListener("input", compare);
compare();
