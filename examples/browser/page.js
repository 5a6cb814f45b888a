import { loadClassifier, readPicture } from "./classifier.js";

const byId = (id) => document.getElementById(id);
const [canvas, form, state] = [byId("picture"), byId("box"), byId("state")];
const NAMES = ["x1", "y1", "x2", "y2"];

let classifier = null;
let picture = null; // ImageData
let corner = null; // where the drawing of a box began

const box = () => NAMES.map((name) => Number(form.elements[name].value));

function setBox(corners) {
  NAMES.forEach((name, place) => { form.elements[name].value = corners[place]; });
  draw();
}

function draw() {
  const context = canvas.getContext("2d");
  context.putImageData(picture, 0, 0);
  const [x1, y1, x2, y2] = box();
  context.lineWidth = Math.max(2, picture.width / 200);
  context.strokeStyle = "rgb(0 114 178)";
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
}

async function classify() {
  const [x1, y1, x2, y2] = box();
  byId("shares").replaceChildren();
  if (!classifier) return;
  if (!(x1 < x2 && y1 < y2)) {
    state.textContent = "The right of a box must be more than its left, and its bottom more than its top.";
    return;
  }
  const began = performance.now();
  const { label, probabilities, face } = await classifier.classify(picture, [x1, y1, x2, y2]);
  const unsure = face !== null && face < 0.5 ? " This may be no face." : "";
  state.textContent = `${label.replaceAll("_", " ")}, in ${Math.round(performance.now() - began)} ms.${unsure}`;
  for (const [name, share] of Object.entries(probabilities)) {
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, value.textContent] = [name.replaceAll("_", " "), share.toFixed(3)];
    byId("shares").append(term, value);
  }
}

byId("file").addEventListener("change", async ({ target }) => {
  if (!target.files.length) return;
  try {
    picture = await readPicture(target.files[0]);
  } catch {
    state.textContent = "The browser cannot read this file as a picture. Choose a JPEG, PNG or WebP.";
    return;
  }
  [canvas.width, canvas.height] = [picture.width, picture.height];
  form.firstElementChild.disabled = false;
  form.elements.x2.max = picture.width;
  form.elements.y2.max = picture.height;
  setBox([0, 0, picture.width, picture.height]);
  classify();
});

form.addEventListener("submit", (event) => { event.preventDefault(); draw(); classify(); });

const place = (event) => {
  const shown = canvas.getBoundingClientRect();
  const [x, y] = [(event.clientX - shown.left) / shown.width, (event.clientY - shown.top) / shown.height];
  return [Math.round(Math.min(Math.max(x, 0), 1) * canvas.width), Math.round(Math.min(Math.max(y, 0), 1) * canvas.height)];
};
const between = ([x, y], [u, v]) => [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];

canvas.addEventListener("pointerdown", (event) => {
  if (!picture) return;
  canvas.setPointerCapture(event.pointerId);
  corner = place(event);
});
canvas.addEventListener("pointermove", (event) => { if (corner) setBox(between(corner, place(event))); });
canvas.addEventListener("pointerup", (event) => {
  if (!corner) return;
  setBox(between(corner, place(event)));
  corner = null;
  classify();
});

try {
  classifier = await loadClassifier();
  state.textContent = picture ? "" : "Choose a picture.";
  if (picture) classify();
} catch (error) {
  state.textContent = `The model does not load: ${error.message}`;
}
