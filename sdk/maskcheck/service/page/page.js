// The page of the service: ways in for pictures, the token, and whether the service is there.

import { alarm, byId, calm, setText } from "./elements.js";
import { resumeLive, setUpLive } from "./live.js";
import { addPictures, megabytes, resumePictures, setUpPictures } from "./pictures.js";
import { readiness, setToken } from "./service.js";

const ASK_AGAIN = 3000; // milliseconds, while the service is starting or away
const { token: wanted, maxBytes } = document.documentElement.dataset;

function askForToken(words) {
  const form = byId("token-form");
  if (words) alarm("token", words);
  form.hidden = false;
  byId("token").focus();
}

// The first time, nobody gave a token yet; after that, the one that was given is wrong.
let given = false;
const tokenWanted = () => askForToken(given ? "The service did not accept the token. Check it, and give it again." : "");

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(token)) return askForToken("A token has no spaces, and only letters without accents, digits and signs. Check it, and give it again.");
  calm("token");
  setToken(token);
  given = true;
  byId("token").value = "";
  byId("token-form").hidden = true;
  byId("files").focus();
  resumePictures();
  resumeLive();
});

byId("files").addEventListener("change", (event) => {
  addPictures([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) addPictures(files);
  if (files.length) event.preventDefault();
});

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping"); // it left the window
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  addPictures([...event.dataTransfer.files]);
});

let told = ""; // the last alarm on the service: one that was dismissed does not come back

/** Say what the service runs, and ask again while it does not answer. */
async function greet() {
  const service = await readiness();
  if (service?.ready) {
    calm("service");
    const provider = [service.provider, service.providers].flat().find(Boolean);
    const parts = [["detector", service.detector], ["on", provider?.replace(/ExecutionProvider$/, "")]];
    const facts = parts.filter(([, value]) => typeof value === "string").map((part) => part.join(" ")).join(" ");
    setText(byId("about"), `Finds the faces in pictures and says of each whether it wears a mask${facts ? `: ${facts}` : ""}.`);
    return;
  }
  const words = service ? "The service is starting or closing. The page looks again by itself." : "The service does not answer. Is it still running? The page looks again by itself.";
  if (words !== told) alarm("service", words);
  told = words;
  setTimeout(greet, ASK_AGAIN);
}

setText(byId("files-help"), `JPEG, PNG, WebP, AVIF, TIFF and others${Number(maxBytes) ? `, up to ${megabytes(Number(maxBytes))}` : ""}. They go to this service only, and are not stored.`);
setUpPictures(tokenWanted);
setUpLive(tokenWanted);
if (wanted === "true") byId("token-form").hidden = false;
greet();
