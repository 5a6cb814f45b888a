// What the page asks of the service, and what went wrong in plain words.

let token = ""; // in memory only

export const setToken = (value) => { token = value; };
export const tokenProtocols = () => (token ? ["maskcheck.v1", `maskcheck.bearer.${base64url(token)}`] : ["maskcheck.v1"]);

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Something that did not work: `status` of HTTP, 0 if the service did not answer; `wait` seconds if it asked to try again. */
export class Trouble extends Error {
  constructor(message, status, wait = null) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

const NO_ANSWER = "The service does not answer. Is it still running, and is this device connected?";

/** The `maskcheck/1` object of a picture, or with `accept` the annotated picture as a blob. */
export async function detect(file, { accept = "application/json" } = {}) {
  const headers = { Accept: accept, "Content-Type": file.type || "application/octet-stream" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch("v1/detect", { method: "POST", body: file, headers, credentials: "omit", referrerPolicy: "no-referrer" });
  } catch {
    // A service that refuses a long body may close the connection before the browser has read why.
    throw new Trouble(NO_ANSWER, 0);
  }
  if (!response.ok) throw await trouble(response);
  if (accept !== "application/json") return response.blob();
  const result = await response.json();
  return { ...result, source: file.name ?? null };
}

async function trouble(response) {
  let detail = "";
  try {
    const problem = await response.json();
    detail = typeof problem.detail === "string" ? problem.detail : (problem.title ?? "");
  } catch { /* an answer of a proxy, say */ }
  const wait = waitOf(response);
  switch (response.status) {
    case 401: return new Trouble("The service did not accept the token.", 401);
    case 429: return new Trouble("The service is busy.", 429, wait ?? 2);
    case 502: case 503: return new Trouble("The service is starting or closing.", response.status, wait ?? 3);
    default: return new Trouble(sentence(detail || `The service answered with status ${response.status}.`), response.status, wait);
  }
}

function waitOf(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? Math.min(seconds, 60) : null;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** What `/readyz` says, with `ready`; null if nothing answers. */
export async function readiness() {
  try {
    const response = await fetch("readyz", { credentials: "omit", cache: "no-store" });
    return { ...(await response.json().catch(() => ({}))), ready: response.ok };
  } catch {
    return null;
  }
}

export function streamAddress() {
  const address = new URL("v1/stream?track=true", document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
