// The mask classifier on onnxruntime-web: the same ONNX file as in Python. All files come from the host of the page.

import * as ort from "./runtime/ort.wasm.min.mjs";
import { cropFace } from "./crops.js";

ort.env.wasm.wasmPaths = new URL("runtime/", document.baseURI).href;
ort.env.wasm.numThreads = 1; // more would need the headers of a cross-origin isolated page
ort.env.logLevel = "error";

/** Load a model: `{ labels, classify(picture, box) }`. */
export async function loadClassifier() {
  const { labels, size, margin } = await (await fetch("model.json")).json();
  const model = new Uint8Array(await (await fetch("model.onnx")).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 3 });

  /**
   * Classify a face.
   *
   * @param picture `ImageData`: RGBA, 8 bits.
   * @param box `[x1, y1, x2, y2]` in pixels, half-open.
   * @returns `{ label, probabilities, face }`; `face`, the probability that this is a face at all, is null if the model does not say.
   */
  async function classify(picture, box) {
    const faces = new ort.Tensor("uint8", cropFace(picture, box, { size, margin }), [1, size, size, 3]);
    const outputs = await session.run({ faces });
    const shares = [...outputs.probabilities.data];
    const best = shares.indexOf(Math.max(...shares));
    const probabilities = Object.fromEntries(labels.map((label, place) => [label, shares[place]]));
    return { label: labels[best], probabilities, face: outputs.face ? outputs.face.data[0] : null };
  }

  return { labels, classify };
}

/** The pixels of an encoded picture, upright, as they are stored: no colour profile changes them. */
export async function readPicture(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}
