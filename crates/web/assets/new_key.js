// The last day counts in the reader's time zone, and is asked for only where it is wanted.
const form = document.querySelector("form.stack");
const { expires, date, expires_at: end } = form.elements;
const field = form.querySelector("[data-for-date]");

function show() {
  field.hidden = expires.value !== "date";
}

form.querySelector("[data-zone]").hidden = true;
expires.addEventListener("change", show);
form.addEventListener("submit", () => {
  const last = new Date(`${date.value}T23:59:59.999`);
  end.value = Number.isNaN(last.getTime()) ? "" : last.toISOString();
});
show();
