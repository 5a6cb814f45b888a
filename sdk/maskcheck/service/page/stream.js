// Frames of a video to `WS /v1/stream`, and the results back. At most two frames are on their way, and only the newest one is
// ever sent, so nothing lags behind, however slow the service is. A connection that is lost is made again.

import { readiness, streamAddress, tokenProtocols } from "./service.js";

const IN_FLIGHT = 2;
const SILENCE = 15_000; // milliseconds without an answer to a frame, then the connection counts as lost
const QUALITY = 0.8; // of the JPEG
const REFUSED = "The service refuses live pictures. A proxy before it must pass WebSockets, and keep the name of the host.";
const WAITS = [0.5, 1, 2, 4, 8]; // seconds

/**
 * States that `onState` gets: "connecting", "live", "lost", "busy", "token", "large", "refused", each with words for the user.
 * After "token", "large" and "refused" the stream has stopped; else it goes on by itself until `stop()`.
 */
export class FrameStream {
  #video; #edge; #onResult; #onState;
  #socket = null; #waiting = []; #encoding = false; #stopped = false; #timer = 0; #watch = 0; #failures = 0; #answered = false; #asleep = false;
  // Taken in turn: up to two frames are on their way, one is shown, and one is being drawn.
  #canvases = Array.from({ length: IN_FLIGHT + 2 }, () => document.createElement("canvas"));

  /**
   * `edge()` gives the longest side of the frames sent. `onResult(result, frame, milliseconds)` gets each answer and its
   * frame, `{ jpeg, canvas }`; the canvas holds the frame until the next answer but one.
   */
  constructor({ video, edge, onResult, onState }) {
    [this.#video, this.#edge, this.#onResult, this.#onState] = [video, edge, onResult, onState];
    this.#connect();
    this.#await();
  }

  stop() {
    this.#stopped = true;
    this.#drop();
    clearTimeout(this.#timer);
  }

  #connect() {
    if (this.#stopped) return;
    this.#onState("connecting", "Connecting to the service.");
    this.#answered = false;
    const socket = new WebSocket(streamAddress(), tokenProtocols());
    this.#socket = socket;
    socket.onopen = () => this.#onState("live", "");
    socket.onmessage = (message) => { if (socket === this.#socket) this.#take(JSON.parse(message.data)); };
    socket.onclose = (event) => { if (socket === this.#socket) this.#closed(event); };
    this.#look(socket); // for a service that accepts a connection and says nothing
  }

  /** Forget the connection: what still comes from it is not looked at. */
  #drop() {
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    this.#waiting = [];
    socket?.close();
  }

  #look(socket) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (socket.readyState === WebSocket.OPEN && !this.#waiting.length) this.#look(socket); // nothing was asked
      else this.#closed({ code: 1006, reason: "" });
    }, SILENCE);
  }

  #take(result) {
    const sent = this.#waiting.shift();
    if (!sent) return;
    [this.#failures, this.#answered] = [0, true];
    this.#look(this.#socket);
    this.#onResult(result, sent.frame, performance.now() - sent.at);
  }

  async #closed({ code, reason }) {
    const answered = this.#answered;
    this.#drop();
    if (this.#stopped) return;
    const end = (state, words) => { this.#stopped = true; this.#onState(state, words); };
    if (code === 1000) { // no frame for a while, as the page was out of sight
      this.#asleep = true;
      return;
    }
    if (code === 1008 && (!reason || reason.includes("token"))) return end("token", "The service did not accept the token.");
    if (code === 1008) return end("refused", `${REFUSED} It says: ${reason}.`);
    if (code === 1009) return end("large", "The frames are too large for the service. Choose a smaller size, then start again.");
    this.#failures += 1;
    const wait = code === 1013 ? 5 : WAITS[Math.min(this.#failures, WAITS.length) - 1];
    this.#timer = setTimeout(() => this.#connect(), wait * 1000);
    if (code === 1013) {
      const why = reason.split(";")[0] || "it is busy";
      return this.#onState("busy", `The service cannot take the camera now: ${why}. The page tries again every ${wait} seconds.`);
    }
    this.#onState("lost", "Connection lost. The page connects again by itself.");
    // The service answers, but never to this: what stands between, or its own rules, forbid it.
    if (!answered && this.#failures >= 4 && (await readiness())?.ready && !this.#stopped && !this.#answered) {
      clearTimeout(this.#timer);
      end("refused", REFUSED);
    }
  }

  #await() {
    if (this.#stopped) return;
    const next = () => { this.#send(); this.#await(); };
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  }

  #send() {
    if (this.#asleep) {
      this.#asleep = false;
      return this.#connect();
    }
    const [socket, video] = [this.#socket, this.#video];
    const free = socket?.readyState === WebSocket.OPEN && !this.#encoding && this.#waiting.length < IN_FLIGHT;
    if (!free || !video.videoWidth) return;
    const scale = Math.min(1, this.#edge() / Math.max(video.videoWidth, video.videoHeight));
    const [width, height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
    const canvas = this.#canvases.shift();
    this.#canvases.push(canvas);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, width, height);
    this.#encoding = true;
    canvas.toBlob((jpeg) => {
      this.#encoding = false;
      if (!jpeg || socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return;
      if (!this.#waiting.length) this.#look(socket);
      this.#waiting.push({ frame: { jpeg, canvas }, at: performance.now() });
      socket.send(jpeg);
    }, "image/jpeg", QUALITY);
  }
}
