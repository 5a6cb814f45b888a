// The square crop of a face that the classifier takes, as maskcheck/pictures/crops.py cuts it.

/**
 * Cut a square around a box and scale it to the classifier's input.
 *
 * @param picture `ImageData`, or its `data`, `width` and `height`: RGBA, 8 bits.
 * @param box `[x1, y1, x2, y2]` in pixels, half-open; it must overlap the picture.
 * @param size Side S of the result, in pixels.
 * @param margin Added on each side, as a share of the longer side of the box.
 * @returns Uint8Array of S * S * 3: RGB, row by row.
 */
export function cropFace(picture, [x1, y1, x2, y2], { size, margin }) {
  const { width, height } = picture;
  const side = Math.max(1, roundHalfEven(Math.max(x2 - x1, y2 - y1) * (1 + 2 * margin)));
  const left = clamp(roundHalfEven((x1 + x2 - side) / 2), 1 - side, width - 1);
  const top = clamp(roundHalfEven((y1 + y2 - side) / 2), 1 - side, height - 1);
  const enlarged = side <= size;
  const taps = enlarged ? neighbours(side, size) : averages(side, size);
  // Outside the picture, its edge pixels are repeated.
  const columns = taps.map((parts) => parts.map(([at, weight]) => [4 * clamp(left + at, 0, width - 1), weight]));
  const rows = taps.map((parts) => parts.map(([at, weight]) => [4 * width * clamp(top + at, 0, height - 1), weight]));
  const crop = new Uint8Array(size * size * 3);
  const blend = enlarged ? blendWhole : blendExact;
  let place = 0;
  for (const down of rows) {
    for (const across of columns) {
      for (let channel = 0; channel < 3; channel += 1) crop[place++] = blend(picture.data, down, across, channel);
    }
  }
  return crop;
}

function blendExact(data, down, across, channel) {
  let sum = 0;
  for (const [row, share] of down) {
    let line = 0;
    for (const [column, part] of across) line += part * data[row + column + channel];
    sum += share * line;
  }
  return roundHalfEven(sum);
}

/** In whole numbers, with shares of 1 / 2048, as OpenCV does it: a model in int8 notices a difference of one. */
function blendWhole(data, down, across, channel) {
  let sum = 2;
  for (const [row, share] of down) {
    let line = 0;
    for (const [column, part] of across) line += part * data[row + column + channel];
    sum += (share * (line >> 4)) >> 16;
  }
  return sum >> 2;
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** As Python rounds: halves to the even number. */
function roundHalfEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

/** For each pixel of a shrunk side, the pixels that it covers and their shares: INTER_AREA of OpenCV. */
function averages(side, size) {
  const scale = side / size;
  return Array.from({ length: size }, (_, pixel) => {
    const [start, end] = [pixel * scale, (pixel + 1) * scale];
    const parts = [];
    for (let at = Math.floor(start); at < Math.min(side, Math.ceil(end)); at += 1) {
      const covered = Math.min(end, at + 1) - Math.max(start, at);
      if (covered > 1e-3) parts.push([at, covered]);
    }
    const sum = parts.reduce((total, [, covered]) => total + covered, 0);
    return parts.map(([at, covered]) => [at, covered / sum]);
  });
}

/** For each pixel of an enlarged side, the two pixels around its centre and their shares, of 2048: INTER_LINEAR of OpenCV. */
function neighbours(side, size) {
  return Array.from({ length: size }, (_, pixel) => {
    const centre = Math.fround((pixel + 0.5) * (side / size) - 0.5);
    const at = Math.floor(centre);
    const share = Math.fround(centre - at);
    const [before, after] = [clamp(at, 0, side - 1), clamp(at + 1, 0, side - 1)];
    return [[before, roundHalfEven((1 - share) * 2048)], [after, roundHalfEven(share * 2048)]];
  });
}
