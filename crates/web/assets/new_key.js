// Says when a number of days will be over. The last day counts in the reader's time zone, and is asked for only where it
// is wanted.
const form = document.querySelector("form.stack");
const { expires, date, expires_at: end } = form.elements;
const field = form.querySelector("[data-for-date]");

const lastMoment = form.querySelector("[data-last-moment]");
const asText = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

function show() {
  field.hidden = expires.value !== "date";
  const days = Number(expires.value);
  lastMoment.textContent = days > 0 ? `Expires ${asText.format(Date.now() + days * 86_400_000)}` : "";
}

form.querySelector("[data-zone]").hidden = true;
expires.addEventListener("change", show);
form.addEventListener("submit", () => {
  const last = new Date(`${date.value}T23:59:59.999`);
  end.value = Number.isNaN(last.getTime()) ? "" : last.toISOString();
});
show();
