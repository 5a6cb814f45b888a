// Pictures that a user drops, chooses or pastes: each is sent, and shown with its faces.

import { annotate, captionOf, classOf, countLabels, describe, overlay } from "./drawing.js";
import { alarm, byId, element, number, percent, save, saveText, setFacts, setText } from "./elements.js";
import { detect } from "./service.js";

const AT_ONCE = 2; // pictures on their way: the service has two cores as well as others to serve
const TRIES = 10; // while the service is busy
const SPEAK_EVERY = 3000; // milliseconds between two words on the progress

const maxBytes = Number(document.documentElement.dataset.maxBytes) || Infinity;
const waiting = []; // pictures that are not sent yet
const shown = new Set(); // all pictures on the page
let running = 0;
let paused = false; // until there is a token
let toldAt = 0;
let onTokenWanted = () => {};

class Picture {
  result = null;
  done = false;
  #view = element("div", { kind: "view" });
  #summary = element("p", { kind: "summary", text: "waiting" });
  #more = element("div");
  #image = element("img", { alt: "", decoding: "async" });
  #canvas = element("canvas", { "aria-hidden": "true" });

  constructor(file) {
    this.file = file;
    this.name = file.name || "pasted picture";
    this.again = this.#button("Try again", () => retry(this));
    const buttons = element("div", { kind: "row" }, this.again);
    this.savePicture = this.#button("Save picture", () => this.#save());
    this.saveJson = this.#button("Save JSON", () => saveText(`${JSON.stringify(this.result, null, 2)}\n`, `${stem(this.name)}.json`));
    buttons.append(this.savePicture, this.saveJson, this.#button("Remove", () => remove(this)));
    for (const each of [this.again, this.savePicture, this.saveJson]) each.hidden = true;
    const title = element("h3", {}, element("bdi", { text: this.name }));
    this.card = element("li", { kind: "panel picture" }, this.#view, element("div", { kind: "text" }, title, this.#summary, this.#more, buttons));
    this.#show(file);
    new ResizeObserver(() => this.#draw()).observe(this.#image);
  }

  #button(text, act) {
    const made = element("button", { type: "button", text });
    made.setAttribute("aria-label", `${text}: ${this.name}`);
    made.addEventListener("click", act);
    return made;
  }

  #show(blob) {
    this.forget();
    this.address = URL.createObjectURL(blob);
    this.#image.src = this.address;
    this.#image.addEventListener("load", () => this.#draw());
    // Formats that browsers cannot show (TIFF, HEIC) come back as an annotated JPEG of the service.
    this.#image.addEventListener("error", () => {
      this.unseen = this.#view.hidden = true;
      this.#fetch();
    }, { once: true });
    this.#view.replaceChildren(this.#image, this.#canvas);
    this.#view.hidden = false;
  }

  async #fetch() {
    if (!this.result || this.annotated) return;
    try {
      this.annotated = await detect(this.file, { accept: "image/jpeg" });
      this.#show(this.annotated);
      this.#canvas.remove(); // the boxes are drawn
    } catch { /* the counts are there all the same */ }
  }

  tell(words, bad = false) {
    setText(this.#summary, words);
    this.#summary.className = bad ? "summary bad" : "summary";
  }

  /** With `again`, the user may try once more: what failed was not the picture. */
  fail(words, { again = false } = {}) {
    this.done = true;
    this.tell(words, true);
    this.again.hidden = !again;
  }

  finish(result) {
    [this.result, this.done] = [result, true];
    const { faces } = result;
    const notes = [...(result.notes ?? [])];
    this.tell(describe(faces));
    this.#image.alt = `${this.name}: ${describe(faces)}`;
    this.savePicture.hidden = this.saveJson.hidden = false;
    this.again.hidden = true;
    if (!faces.length) notes.push("No face was found. Faces that are very small or turned away may be missed.");
    this.#more.replaceChildren(...notes.map((text) => element("p", { kind: "soft", text })));
    if (faces.length) this.#more.append(table(faces));
    if (this.unseen) this.#fetch();
    this.#draw();
  }

  #draw() {
    const image = this.#image;
    if (!image.clientWidth || this.annotated) return;
    const { style } = this.#canvas;
    [style.left, style.top] = [`${image.offsetLeft}px`, `${image.offsetTop}px`];
    [style.width, style.height] = [`${image.clientWidth}px`, `${image.clientHeight}px`];
    overlay(this.#canvas, { width: image.clientWidth, height: image.clientHeight }, this.result);
  }

  async #save() {
    try {
      save(this.annotated ?? (await annotate(this.#image, this.result.faces)), `${stem(this.name)}.annotated.jpg`);
    } catch (error) {
      alarm("save", `${this.name} was not saved: ${error.message}.`);
    }
  }

  forget() {
    if (this.address) URL.revokeObjectURL(this.address);
  }
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || "picture";

function table(faces) {
  const head = element("tr", {}, ...["Label", "Sure", "Place"].map((text) => element("th", { scope: "col", text })));
  const rows = faces.slice(0, 500).map(({ label, confidence, box: [x1, y1, x2, y2] }) => element(
    "tr", {}, element("td", { kind: classOf(label), text: captionOf(label) }), element("td", { text: percent(confidence) }),
    element("td", { text: `${x1}, ${y1} to ${x2}, ${y2}` }),
  ));
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const scroll = element("div", { kind: "scroll", tabindex: "0", role: "group", "aria-label": "Faces" }, made);
  return element("details", {}, element("summary", { text: faces.length === 1 ? "The face" : `All ${number.format(faces.length)} faces` }), scroll);
}

/** Show pictures and send them, in order. */
export function addPictures(files) {
  for (const file of files) {
    const picture = new Picture(file);
    shown.add(picture);
    byId("pictures").append(picture.card);
    if (file.type && !file.type.startsWith("image/")) picture.fail("This is not a picture. Choose a JPEG, PNG, WebP or another picture.");
    else if (!file.size) picture.fail("This file is empty.");
    else if (file.size > maxBytes) picture.fail(`This file has ${megabytes(file.size)}; the service takes up to ${megabytes(maxBytes)}. Make it smaller first.`);
    else waiting.push(picture);
  }
  tell(true);
  work();
}

export const megabytes = (bytes) => `${number.format(Math.ceil(bytes / 1e5) / 10)} MB`;

function retry(picture) {
  picture.done = false;
  picture.again.hidden = true;
  picture.tell("waiting");
  waiting.push(picture);
  work();
}

function remove(picture) {
  const next = picture.card.nextElementSibling ?? picture.card.previousElementSibling;
  picture.forget();
  picture.card.remove();
  shown.delete(picture);
  if (waiting.includes(picture)) waiting.splice(waiting.indexOf(picture), 1);
  (next?.querySelector("button:last-child") ?? byId("files")).focus(); // where the next one to remove is
  tell(true);
}

function work() {
  while (running < AT_ONCE && waiting.length && !paused) {
    running += 1;
    ask(waiting.shift()).finally(() => { running -= 1; tell(); work(); });
  }
}

async function ask(picture) {
  for (let tries = 1; shown.has(picture); tries += 1) {
    picture.tell("looking for faces");
    try {
      return picture.finish(await detect(picture.file));
    } catch (error) {
      if (error.status === 401) {
        paused = true;
        waiting.unshift(picture);
        picture.tell("waiting for the token");
        return onTokenWanted();
      }
      if (error.wait === null || tries === TRIES) {
        const again = error.wait !== null || error.status === 0 || error.status >= 500;
        return picture.fail(error.wait === null ? error.message : `${error.message} Try again later.`, { again });
      }
      picture.tell(`${error.message} The page tries again in ${error.wait} ${error.wait === 1 ? "second" : "seconds"}.`);
      await new Promise((go) => setTimeout(go, error.wait * 1000));
    }
  }
}

function tell(now = false) {
  byId("results").hidden = !shown.size;
  const results = [...shown].map(({ result }) => result).filter(Boolean);
  const faces = results.flatMap((result) => result.faces);
  setFacts(byId("counts"), countLabels(faces).map(([label, count]) => [captionOf(label), number.format(count), classOf(label)]));
  byId("save-all").disabled = !results.length;
  const done = [...shown].filter((picture) => picture.done).length;
  if (now || done === shown.size || performance.now() - toldAt >= SPEAK_EVERY) {
    toldAt = performance.now();
    const all = shown.size === 1 ? "1 picture" : `${number.format(shown.size)} pictures`;
    setText(byId("progress"), done < shown.size ? `${number.format(done)} of ${all} done` : `${all} done, ${describe(faces)}`);
  }
}

/** Wire what is left of the controls. `wanted` is called when the service wants a token; then `resumePictures()` goes on. */
export function setUpPictures(wanted) {
  onTokenWanted = wanted;
  byId("save-all").addEventListener("click", () => {
    saveText([...shown].filter(({ result }) => result).map(({ result }) => `${JSON.stringify(result)}\n`).join(""), "results.jsonl");
  });
  byId("remove-all").addEventListener("click", () => {
    for (const picture of shown) picture.forget();
    shown.clear();
    waiting.length = 0;
    byId("pictures").replaceChildren();
    tell(true);
    byId("files").focus();
  });
}

export function resumePictures() {
  paused = false;
  work();
}
