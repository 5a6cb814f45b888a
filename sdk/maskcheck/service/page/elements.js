// Small helpers that make and fill elements. Names come from files and labels from models: they are only ever set as text.

export const byId = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en");
export const percent = (share) => `${(Math.floor(share * 1000 + 1e-6) / 10).toFixed(1)} %`; // 0.9999 is not 100 %

export function element(tag, { text, kind, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // a live region speaks when it is written to
}

/** Fill a list of names and values, `[[name, value, class of the value], ...]`. */
export function setFacts(list, rows) {
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([name, value, kind = ""], place) => {
    if (!list.children[place]) list.append(element("div", {}, element("dt"), element("dd")));
    const [term, description] = list.children[place].children;
    setText(term, name);
    setText(description, value);
    description.className = kind;
  });
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
}

export const saveText = (text, name) => save(new Blob([text], { type: "application/json" }), name);

/** An error across the page, which a screen reader speaks at once. One per `kind`. */
export function alarm(kind, text) {
  calm(kind);
  const dismiss = element("button", { type: "button", text: "Dismiss" });
  const shown = element("p", { "data-kind": kind }, element("span", { text }), dismiss);
  dismiss.addEventListener("click", () => shown.remove());
  byId("alerts").append(shown);
}

export function calm(kind) {
  for (const shown of [...byId("alerts").children]) if (shown.dataset.kind === kind) shown.remove();
}
