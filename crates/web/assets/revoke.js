// The button is there for use once the name stands in the field.
const form = document.querySelector("[data-confirm]");
const button = form.querySelector("button");
const field = form.elements.confirm;

// Nobody sees or types the marks of direction.
const plain = (text) => text.trim().replace(/[\u061c\u200e\u200f]/g, "").normalize("NFC");

function compare() {
  button.disabled = plain(field.value) !== plain(form.dataset.confirm);
}

field.addEventListener("input", compare);
compare();
