"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const BATCH = 120; // cards that are made at once
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const percent = (share) => `${(Math.floor(share * 1000 + 1e-6) / 10).toFixed(1)} %`; // 0.9999 is not 100 %

// Names come from files: they are only ever set as text.
function element(tag, { text, kind, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const spoken = (label) => label.replaceAll("_", " ");

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes, rest] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
  const padded = rest.toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`;
}

function when(face) {
  if (face.time === null) return face.frame ? `frame ${number.format(face.frame)}` : "";
  return `${clock(face.time)}${face.track === null ? "" : `, track ${face.track}`}`;
}

function picture(face) {
  const about = `face in ${face.name}, ${spoken(face.label)}, ${percent(face.confidence)}`;
  if (face.image) return element("img", { src: face.image, alt: about, width: 128, height: 128 });
  return element("span", { kind: "gone", text: face.missing });
}

const coloured = (label) => (["with_mask", "without_mask", "mask_worn_incorrectly"].includes(label) ? label : "");
const labelName = (label) => element("span", { kind: `label ${coloured(label)}`, text: spoken(label) });
const share = (face) => element("span", { kind: "share", text: percent(face.confidence) });

function card(face, place) {
  const bar = element("span");
  bar.style.width = `${100 * face.confidence}%`;
  const headline = element("span", { kind: "headline" }, labelName(face.label), " ", share(face));
  const caption = element(
    "span", { kind: "caption" }, headline,
    element("span", { kind: `bar ${coloured(face.label)}`, "aria-hidden": "true" }, bar),
    element("bdi", { kind: "name", text: face.name }),
  );
  if (when(face)) caption.append(element("span", { kind: "when", text: when(face) }));
  const button = element("button", { kind: "card", type: "button", title: face.source }, picture(face), caption);
  button.addEventListener("click", () => show(place));
  return element("li", {}, button);
}

const side = (face) => Math.max(face.box[2] - face.box[0], face.box[3] - face.box[1]);
const byName = new Intl.Collator("en", { numeric: true }).compare;
const ORDERS = {
  doubt: (a, b) => a.confidence - b.confidence,
  sure: (a, b) => b.confidence - a.confidence,
  name: (a, b) => byName(a.source, b.source) || a.frame - b.frame || b.confidence - a.confidence,
  large: (a, b) => side(b) - side(a),
  small: (a, b) => side(a) - side(b),
};

let chosen = []; // the faces that pass the filters, in order
let drawn = 0; // of these, how many have a card

function choose() {
  const words = byId("search").value.trim().toLowerCase();
  const labels = new Set([...byId("labels").querySelectorAll("input:checked")].map((box) => box.value));
  const least = Number(byId("from").value || 0) / 100;
  const most = Number(byId("to").value || 100) / 100;
  const named = (source) => source.toLowerCase().includes(words);
  chosen = data.faces
    .filter((face) => labels.has(face.label) && face.confidence >= least && face.confidence <= most && named(face.source))
    .sort(ORDERS[byId("order").value]);
  drawn = 0;
  byId("faces").replaceChildren();
  draw();
  byId("shown").textContent = chosen.length === data.faces.length
    ? `${number.format(chosen.length)} ${chosen.length === 1 ? "face" : "faces"}`
    : `${number.format(chosen.length)} of ${number.format(data.faces.length)} faces`;
  list(data.errors.filter((error) => named(error.source)));
}

function draw() {
  const next = chosen.slice(drawn, drawn + BATCH);
  byId("faces").append(...next.map((face, place) => card(face, drawn + place)));
  drawn += next.length;
  byId("more").hidden = drawn === chosen.length;
  byId("more").textContent = `Show ${number.format(Math.min(BATCH, chosen.length - drawn))} more`;
}

function list(errors) {
  const section = byId("failed");
  section.hidden = !data.failed;
  section.querySelector("h2").textContent = `Not read: ${number.format(data.failed)}`;
  section.querySelector("tbody").replaceChildren(...errors.map((error) => {
    const at = error.time === null ? "" : ` at ${clock(error.time)}`;
    return element("tr", {}, element("td", {}, element("bdi", { text: error.source }), at), element("td", { text: error.reason }));
  }));
  const rest = data.failed - data.errors.length;
  const last = section.lastElementChild;
  last.hidden = !rest;
  last.textContent = `${number.format(rest)} more are in the results, not on this page.`;
}

let current = -1; // which of the chosen faces the dialog shows

function facts(face) {
  const [x1, y1, x2, y2] = face.box;
  const rows = [["Label", `${spoken(face.label)}, ${percent(face.confidence)}`]];
  for (const [label, share] of Object.entries(face.probabilities)) {
    if (label !== face.label) rows.push([spoken(label), percent(share)]);
  }
  if (face.score !== null) rows.push(["Face found", percent(face.score)]);
  rows.push(["Face", `${x2 - x1} x ${y2 - y1} pixels, at ${x1}, ${y1}`]);
  if (face.time !== null) rows.push(["Time", `${clock(face.time)}, frame ${number.format(face.frame)}`]);
  if (face.track !== null) {
    rows.push(["Track", `${face.track}, ${number.format(face.frames)} ${face.frames === 1 ? "frame" : "frames"} with this label`]);
    if (face.first !== null) rows.push(["Seen", `${clock(face.first)} to ${clock(face.last)}`]);
  }
  rows.push(["File", face.source]);
  return rows;
}

function show(place) {
  const face = chosen[place];
  if (!face) return;
  current = place;
  while (drawn <= place) draw();
  const dialog = byId("details");
  dialog.querySelector(".picture").replaceChildren(picture(face));
  byId("details-name").textContent = face.name;
  dialog.querySelector("dl").replaceChildren(...facts(face).flatMap(
    ([name, value]) => [element("dt", { text: name }), element("dd", {}, element("bdi", { text: value }))],
  ));
  byId("before").disabled = place === 0;
  byId("after").disabled = place === chosen.length - 1;
  if (!dialog.open) dialog.showModal();
}

byId("made").textContent = data.made;
for (const [name, value] of data.counts) {
  byId("counts").append(element("div", {}, element("dt", { text: spoken(name) }), element("dd", { text: number.format(value) })));
}
for (const remark of data.remarks) byId("remarks").append(element("li", { text: remark }));
for (const label of data.labels) {
  const box = element("input", { type: "checkbox", value: label, checked: "" });
  byId("labels").append(element("label", {}, box, " ", labelName(label)));
}
byId("filters").addEventListener("input", choose);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("reset", () => setTimeout(choose)); // when the fields have their old values again
byId("more").addEventListener("click", () => {
  const first = drawn;
  draw();
  byId("faces").children[first].firstElementChild.focus(); // the button may be gone
});
byId("before").addEventListener("click", () => show(current - 1));
byId("after").addEventListener("click", () => show(current + 1));
byId("close").addEventListener("click", () => byId("details").close());
byId("details").addEventListener("close", () => byId("faces").children[current]?.firstElementChild.focus());
byId("details").addEventListener("click", (event) => {
  if (event.target === byId("details")) byId("details").close(); // on what is around it
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select");
  if (byId("details").open) {
    if (event.key === "ArrowLeft") show(current - 1);
    if (event.key === "ArrowRight") show(current + 1);
  } else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("search").focus();
  }
});
choose();
