// Moments come in UTC, for whoever has no script; here they become those of the reader's time zone.
const exact = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const near = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const MONTH = 30 * 86_400;

function dayOf(date) {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
}

function relative(date, now) {
  const seconds = (date - now) / 1_000;
  const distance = Math.abs(seconds);
  if (distance >= MONTH) return day.format(date);
  const unit = UNITS.find(([, length]) => distance >= length);
  if (!unit) return seconds > 0 ? "in a moment" : "just now";
  // Days are those of the reader's calendar: tomorrow begins at midnight, not in 24 hours.
  if (unit[0] === "day") return near.format(dayOf(date) - dayOf(new Date(now)), "day");
  const count = seconds / unit[1];
  return near.format(count > 0 ? Math.round(count) : Math.trunc(count), unit[0]);
}

function show() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time")) {
    const date = new Date(time.dateTime);
    time.title = exact.format(date);
    time.firstChild.data = relative(date, now);
    time.querySelector(".visually-hidden").textContent = ` (${time.title})`;
  }
}

show();
setInterval(show, 30_000);
