// Boxes and captions, as the SDK draws them on annotated pictures (maskcheck/pictures/drawing).

const COLOURS = {
  with_mask: [0, 158, 115],
  without_mask: [213, 94, 0],
  mask_worn_incorrectly: [230, 159, 0],
};
const OTHER_COLOUR = [0, 114, 178];
const CAPTIONS = { with_mask: "mask", without_mask: "no mask", mask_worn_incorrectly: "mask worn wrong" };
const CAPITAL = 21; // pixels: height of a capital letter at scale 1
const CAPITAL_SHARE = 0.72; // of the size of a font

export const colourOf = (label) => (Object.hasOwn(COLOURS, label) ? COLOURS[label] : OTHER_COLOUR);
export const captionOf = (label) => (Object.hasOwn(CAPTIONS, label) ? CAPTIONS[label] : label.replaceAll("_", " "));
export const classOf = (label) => `label ${Object.hasOwn(COLOURS, label) ? label : ""}`;

/** How many faces have each label, most first: `[[label, count], ...]`. */
export function countLabels(faces) {
  const counts = new Map();
  for (const { label } of faces) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

export function describe(faces) {
  if (!faces.length) return "no face";
  const parts = countLabels(faces).map(([label, count]) => `${count} ${captionOf(label)}`);
  return `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${parts.join(", ")}`;
}

/**
 * Draw boxes and captions.
 *
 * @param context 2D context of a canvas, which is not cleared.
 * @param faces As in `maskcheck/1`.
 * @param scale Pixels of the canvas for each pixel of the picture.
 * @param mirrored Whether the picture under the canvas is mirrored; captions never are.
 * @param leastFont Size of the smallest letters, in pixels of the canvas.
 */
export function drawFaces(context, faces, { scale = 1, mirrored = false, leastFont = 10 } = {}) {
  const { width, height } = context.canvas;
  // Large faces first, so that a small face in front of them keeps its caption.
  for (const face of [...faces].sort((a, b) => a.box[0] - a.box[2] - (b.box[0] - b.box[2]))) {
    let [left, top, right, bottom] = face.box.map((value) => Math.round(value * scale));
    if (mirrored) [left, right] = [width - right, width - left];
    const side = Math.min(right - left, bottom - top);
    const colour = colourOf(face.label);
    context.strokeStyle = `rgb(${colour.join(" ")})`;
    context.lineWidth = Math.max(leastFont / 5, side / 50);
    context.strokeRect(left, top, right - left, bottom - top);
    const track = face.track_id === undefined ? "" : `#${face.track_id} `;
    const text = `${track}${captionOf(face.label).slice(0, 200)} ${Math.round(100 * face.confidence)}%`;
    caption(context, text, colour, { left, top, side, leastFont, width, height });
  }
}

function caption(context, text, colour, { left, top, side, leastFont, width, height }) {
  const size = Math.max(leastFont, (CAPITAL / CAPITAL_SHARE) * Math.min(1.5, Math.max(0.35, side / 180)));
  const padding = size * 0.25;
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "alphabetic";
  const [wide, high] = [context.measureText(text).width + 2 * padding, size * CAPITAL_SHARE + 2 * padding];
  const x = Math.max(0, Math.min(left - context.lineWidth / 2, width - wide));
  const bottom = Math.min(top >= high ? top : top + high, height); // inside the box if there is no room above
  context.fillStyle = `rgb(${colour.join(" ")})`;
  context.fillRect(x, bottom - high, wide, high);
  const [red, green, blue] = colour;
  context.fillStyle = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000" : "#fff"; // luma of ITU-R BT.601
  context.fillText(text, x + padding, bottom - padding);
}

/** The picture at its full size, with boxes and captions, as a JPEG. */
export async function annotate(picture, faces) {
  const bitmap = picture instanceof Blob ? await createImageBitmap(picture) : picture;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d");
  if (!context) throw new Error("the picture is too large for this browser");
  context.drawImage(bitmap, 0, 0);
  bitmap.close?.();
  drawFaces(context, faces);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  if (!blob) throw new Error("the picture is too large for this browser");
  return blob;
}

/**
 * Draw faces over a picture of the page, on a canvas that covers it, as sharp as the screen allows.
 *
 * With `frame`, a canvas with the picture that the faces were found in, that picture is drawn under them.
 */
export function overlay(canvas, { width, height }, result, { mirrored = false, frame = null } = {}) {
  const density = Math.min(window.devicePixelRatio || 1, 3);
  const [across, down] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, across, down);
  if (frame) {
    context.save();
    if (mirrored) context.transform(-1, 0, 0, 1, across, 0);
    context.drawImage(frame, 0, 0, across, down);
    context.restore();
  }
  if (result?.width) drawFaces(context, result.faces, { scale: across / result.width, mirrored, leastFont: 12 * density });
}
