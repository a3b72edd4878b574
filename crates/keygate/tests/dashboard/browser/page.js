// What a person finds on a page. Each function answers, or throws why it cannot.

function answered(ask, args) {
  try {
    return { answer: ask(...args) ?? null };
  } catch (error) {
    return { why: error.message };
  }
}

const squeeze = (text) => (text ?? "").replace(/\s+/g, " ").trim();

const shown = (element) => element.checkVisibility({ visibilityProperty: true });

/** The words in an element, without what is hidden from assistive technology. */
function words(element) {
  const copy = element.cloneNode(true);
  const rest = "[aria-hidden=true], [hidden], input, select, textarea, button, script, style, template";
  copy.querySelectorAll(rest).forEach((part) => part.remove());
  return squeeze(copy.textContent);
}

/** What an element may be called. */
function names(element) {
  const labels = [...(element.labels ?? [])];
  const ids = (element.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
  const described = ids.map((id) => words(document.getElementById(id) ?? element)).join(" ");
  const names = [squeeze(element.ariaLabel), described, ...labels.map(words)];
  if (element.matches("input[type=submit], input[type=button], input[type=reset]")) names.push(element.value);
  if (!element.matches("input, select, textarea")) names.push(squeeze(element.innerText), words(element));
  return names.filter(Boolean);
}

/** The elements that can be reached now: those of an open dialog, if there is one. */
function reachable(selector) {
  const scope = [...document.querySelectorAll("dialog:modal")].pop() ?? document;
  return [...scope.querySelectorAll(selector)].filter((element) => shown(element) && !element.closest("[inert]"));
}

/** The one element with this name. Several links to one place are one. */
function one(elements, name) {
  const found = elements.filter((element) => names(element).includes(squeeze(name)));
  if (found.length === 0) {
    const there = elements.map((element) => `“${names(element)[0] ?? element.outerHTML.slice(0, 80)}”`);
    throw new Error(`nothing is called “${name}”; there are ${there.join(", ") || "none"}`);
  }
  if (found.some((element) => !element.href || element.href !== found[0].href) && found.length > 1)
    throw new Error(`${found.length} are called “${name}”`);
  if (found[0].disabled) throw new Error(`“${name}” is disabled`);
  return found[0];
}

/** A link or a button; where a row is named, the one in the row with these words. */
function clickable(name, row) {
  let elements = reachable(
    "a[href], button, summary, input[type=submit], input[type=button], input[type=reset], [role=button], [role=link], [role=tab], [role=menuitem]",
  );
  if (row !== undefined) {
    const within = (element) => element.closest("tr, li, dd, article, section, fieldset")?.innerText;
    elements = elements.filter((element) => squeeze(within(element)).includes(squeeze(row)));
  }
  return one(elements, name);
}

const field = (label) => one(reachable("input:not([type=hidden]), select, textarea"), label);

/** What is to be done so that the field has this value: `type` into it, or `choose` an option. */
function fill(label, value) {
  const element = field(label);
  if (element.readOnly) throw new Error(`“${label}” cannot be changed`);
  if (element.matches("select")) {
    const option = [...element.options].find((option) => squeeze(option.text) === squeeze(value));
    if (!option) throw new Error(`“${label}” has no “${value}”, but ${names_of(element.options)}`);
    return { choose: option };
  }
  element.focus();
  // The driver cannot type into these, whose keys depend on the language.
  if (/^(date|time|datetime-local|month|week|color|range)$/.test(element.type)) {
    element.value = value;
    if (element.value !== value) throw new Error(`“${label}” does not take “${value}”`);
    for (const type of ["input", "change"]) element.dispatchEvent(new Event(type, { bubbles: true }));
    return {};
  }
  element.select();
  return { type: element };
}

const names_of = (options) => [...options].map((option) => `“${squeeze(option.text)}”`).join(", ");

/** What is to be clicked so that the box is checked or not: nothing, if it is so. */
function check(label, wanted) {
  const element = field(label);
  if (!element.matches("[type=checkbox], [type=radio]")) throw new Error(`“${label}” cannot be checked`);
  if (element.checked === (wanted === "true")) return null;
  // A box that is drawn by its label is too small to be hit.
  const box = element.getBoundingClientRect();
  const hidden = box.width < 8 || box.height < 8 || getComputedStyle(element).opacity === "0";
  return hidden ? element.labels[0] : element;
}

function value_of(label) {
  const element = field(label);
  if (element.matches("[type=checkbox], [type=radio]")) return String(element.checked);
  return element.matches("select") ? squeeze(element.selectedOptions[0]?.text) : element.value;
}

function see(text) {
  if (!squeeze(document.body.innerText).includes(squeeze(text))) throw new Error("it is not there");
}

function dont_see(text) {
  if (squeeze(document.body.innerText).includes(squeeze(text))) throw new Error("it is still there");
}

/** What has the focus, unless it is the page itself. */
function focused() {
  const element = document.activeElement;
  return element === document.body ? null : element;
}
