// The camera: boxes over its picture, counts, frames a second, the people in view.

import { CameraTrouble, closeCamera, listCameras, openCamera } from "./camera.js";
import { annotate, captionOf, classOf, countLabels, describe, overlay } from "./drawing.js";
import { alarm, byId, calm, element, number, percent, save, saveText, setFacts, setText } from "./elements.js";
import { FrameStream } from "./stream.js";

const RATE_OVER = 2000; // milliseconds over which frames are counted
const FACTS_EVERY = 400; // milliseconds between two updates of numbers, so that they can be read
const SPEAK_EVERY = 6000; // milliseconds between two sentences for a screen reader, so that it does not chatter
const STEADY = 1200; // milliseconds that counts must stay the same before they are spoken,
const SILENT = 20_000; // unless nothing was said for so long

let camera = null; // MediaStream while the camera runs
let stream = null; // FrameStream while frames are sent
let latest = null; // { result, frame } of the last answer
let arrivals = []; // of the last answers: { at, delay }, in milliseconds
let factsAt = 0;
let speech = {}; // what was seen and what was said last, set when the camera starts
let starting = 0; // counts starts, so that one that was overtaken gives up
let onTokenWanted = () => {};

const video = byId("video");
const mirrored = () => byId("mirror").checked;

async function start(id) {
  const mine = ++starting;
  stop();
  calm("camera");
  byId("toggle").textContent = "Stop camera";
  byId("stage").hidden = false;
  video.parentElement.scrollIntoView({ block: "nearest" }); // on a phone it may be below the screen
  state("connecting", "Waiting for the camera. The browser may ask whether this page may use it.");
  try {
    const opened = await openCamera(id);
    if (mine !== starting) return closeCamera(opened);
    camera = opened;
    const [track] = camera.getVideoTracks();
    track.addEventListener("ended", () => { if (camera === opened) halt("The camera was disconnected. Connect it, then start again."); });
    if (track.getSettings().facingMode === "environment") byId("mirror").checked = false;
    video.srcObject = camera;
    await video.play();
    await fillCameras(track.getSettings().deviceId);
  } catch (error) {
    if (mine !== starting) return;
    return halt(error instanceof CameraTrouble ? error.message : `The camera does not start: ${error.message}.`);
  }
  if (mine !== starting) return;
  connect();
}

function connect() {
  stream?.stop();
  stream = new FrameStream({ video, edge: () => Number(byId("edge").value), onResult: take, onState: state });
}

/** Stop the camera and all that hangs on it. */
function stop() {
  stream?.stop();
  if (camera) closeCamera(camera);
  [camera, stream, latest, arrivals] = [null, null, null, []];
  speech = { sentence: "", since: 0, spoken: "", at: performance.now() - SPEAK_EVERY };
  video.srcObject = null;
  byId("toggle").textContent = "Start camera";
  byId("stage").hidden = true;
  byId("camera-field").hidden = true;
  byId("overlay").getContext("2d").clearRect(0, 0, byId("overlay").width, byId("overlay").height);
  byId("live-counts").replaceChildren();
  byId("people").replaceChildren();
  setText(byId("spoken"), "");
  for (const button of ["save-frame", "save-frame-json"]) byId(button).disabled = true;
}

function halt(words) {
  starting += 1;
  stop();
  alarm("camera", words);
}

async function fillCameras(current) {
  const cameras = await listCameras();
  byId("camera").replaceChildren(...cameras.map(([id, name]) => {
    const option = element("option", { value: id, text: name });
    option.selected = id === current;
    return option;
  }));
  byId("camera-field").hidden = cameras.length < 2;
}

function state(name, words) {
  if (name === "token") {
    state("waiting", "The camera goes on when you have given the token above.");
    onTokenWanted();
  } else if (["large", "refused"].includes(name)) {
    halt(words);
  } else {
    setText(byId("live-state"), words);
    byId("live-state").className = ["lost", "busy"].includes(name) ? "bad" : "";
  }
  if (name !== "live") {
    latest = null; // old boxes over a new picture would be wrong
    arrivals = [];
    draw();
    facts();
  }
}

function take(result, frame, milliseconds) {
  const now = performance.now();
  arrivals = [...arrivals.filter(({ at }) => at > now - RATE_OVER), { at: now, delay: milliseconds }];
  const broken = result.error ? `A frame could not be read: ${result.error.message}` : "";
  setText(byId("live-state"), broken);
  byId("live-state").className = broken ? "bad" : "";
  if (result.error) return;
  latest = { result, frame };
  draw();
  if (now - factsAt >= FACTS_EVERY) facts();
  speak(result.faces, now);
}

function draw() {
  const screen = video.parentElement;
  screen.classList.toggle("mirrored", mirrored());
  if (video.videoWidth) screen.style.setProperty("--shape", video.videoWidth / video.videoHeight);
  const { clientWidth: width, clientHeight: height } = screen;
  if (!width || !height) return;
  overlay(byId("overlay"), { width, height }, latest?.result, {
    mirrored: mirrored(),
    frame: byId("smooth").checked ? null : latest?.frame.canvas, // else boxes lie where the faces were a moment ago
  });
}

function facts() {
  const now = factsAt = performance.now();
  const faces = latest?.result.faces ?? [];
  const recent = arrivals.filter(({ at }) => at > now - RATE_OVER);
  const rate = recent.length > 1 ? (1000 * (recent.length - 1)) / (recent.at(-1).at - recent[0].at) : 0;
  const delay = recent.reduce((sum, each) => sum + each.delay, 0) / recent.length;
  const counts = new Map([["with_mask", 0], ["without_mask", 0], ...countLabels(faces)]);
  setFacts(byId("live-counts"), [...counts].map(([label, count]) => [captionOf(label), number.format(count), classOf(label)]));
  setText(byId("speed"), rate ? `${rate.toFixed(1)} frames a second, ${Math.round(delay)} ms delay` : "");
  people(faces);
  for (const button of ["save-frame", "save-frame-json"]) byId(button).disabled = !latest;
}

function people(faces) {
  const shown = [...faces].sort((a, b) => (a.track_id ?? 0) - (b.track_id ?? 0)).slice(0, 50);
  byId("people").replaceChildren(...shown.map((face) => element(
    "li", {},
    element("span", {}, element("span", { kind: "track", text: face.track_id === undefined ? "" : `#${face.track_id} ` }),
      element("span", { kind: classOf(face.label), text: captionOf(face.label) })),
    element("span", { kind: "share", text: percent(face.confidence) }),
  )));
}

function speak(faces, now) {
  const sentence = describe(faces);
  if (sentence !== speech.sentence) Object.assign(speech, { sentence, since: now });
  const silence = now - speech.at;
  const due = (now - speech.since >= STEADY && silence >= SPEAK_EVERY) || silence >= SILENT;
  if (due && sentence !== speech.spoken) {
    setText(byId("spoken"), sentence);
    Object.assign(speech, { spoken: sentence, at: now });
  }
}

async function saveFrame() {
  const { result, frame } = latest;
  try {
    save(await annotate(frame.jpeg, result.faces), "camera.annotated.jpg");
  } catch (error) {
    alarm("save", `The picture was not saved: ${error.message}.`);
  }
}

/** Wire the controls. `wanted` is called when the service wants a token; then `resumeLive()` goes on. */
export function setUpLive(wanted) {
  onTokenWanted = wanted;
  byId("toggle").addEventListener("click", () => (byId("stage").hidden ? start() : (starting += 1, stop())));
  byId("camera").addEventListener("change", () => start(byId("camera").value));
  byId("mirror").addEventListener("change", draw);
  byId("smooth").addEventListener("change", draw);
  byId("save-frame").addEventListener("click", saveFrame);
  byId("save-frame-json").addEventListener("click", () => saveText(`${JSON.stringify(latest.result, null, 2)}\n`, "camera.json"));
  video.addEventListener("resize", draw);
  new ResizeObserver(draw).observe(video.parentElement);
  window.addEventListener("pagehide", () => { starting += 1; stop(); });
  navigator.mediaDevices?.addEventListener("devicechange", () => { if (camera) fillCameras(camera.getVideoTracks()[0].getSettings().deviceId); });
}

export function resumeLive() {
  if (camera) connect();
}
