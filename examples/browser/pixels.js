// Pixels to tensors and back: reducing, padding, compositing.

const MULTIPLE = 4; // what the network's height and width must be multiples of
const SMALLEST = 64; // smaller pictures leave the encoder's last stage nothing to look at

/** A picture (1, 3, H, W) of a network's size, for pixels of width x height. */
export class Plane {
  constructor(width, height) {
    this.width = padded(width);
    this.height = padded(height);
    this.values = new Float32Array(3 * this.width * this.height);
  }
}

function padded(side) {
  return Math.ceil(Math.max(side, SMALLEST) / MULTIPLE) * MULTIPLE;
}

/** RGBA pixels of a picture: its long side reduced to side (0: as it is), or all of {width, height} covered. */
export function reduced(picture, side, cover = null) {
  const share = side ? Math.min(1, side / Math.max(picture.width, picture.height)) : 1;
  const width = cover?.width ?? Math.max(1, Math.round(picture.width * share));
  const height = cover?.height ?? Math.max(1, Math.round(picture.height * share));
  const scale = Math.max(width / picture.width, height / picture.height);
  const wide = cover ? picture.width * scale : width;
  const high = cover ? picture.height * scale : height;
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, (width - wide) / 2, (height - high) / 2, wide, high);
  return context.getImageData(0, 0, width, height);
}

/** Write RGBA pixels in 0..255 to a plane in [0, 1], the right and lower border repeated. */
export function toTensor({width, height, data}, plane) {
  const {values} = plane;
  const size = plane.width * plane.height;
  for (let y = 0, at = 0; y < plane.height; y++) {
    const row = Math.min(y, height - 1) * width;
    for (let x = 0; x < plane.width; x++, at++) {
      const from = 4 * (row + Math.min(x, width - 1));
      values[at] = data[from] / 255;
      values[at + size] = data[from + 1] / 255;
      values[at + 2 * size] = data[from + 2] / 255;
    }
  }
}

/** RGBA pixels blurred by drawing them small and large again, which every browser can. */
export function blurred({width, height, data}) {
  const full = new OffscreenCanvas(width, height);
  const context = full.getContext('2d', {willReadFrequently: true});
  context.putImageData(new ImageData(Uint8ClampedArray.from(data), width, height), 0, 0);
  let last = full;
  for (const share of [4, 16, 4]) {
    const next = new OffscreenCanvas(Math.ceil(width / share), Math.ceil(height / share));
    const drawn = next.getContext('2d');
    drawn.imageSmoothingQuality = 'high';
    drawn.drawImage(last, 0, 0, next.width, next.height);
    last = next;
  }
  context.drawImage(last, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/**
 * The cut-out (RGBA, straight alpha), alpha alone and the composite of what the network gave, cropped to
 * width x height. behind: RGBA pixels of that size, {colour: [r, g, b]} or {none: true}.
 */
export function compose(out, width, height, behind) {
  const count = width * height;
  const size = out.width * out.height;
  const cutout = new Uint8ClampedArray(4 * count);
  const alpha = new Float32Array(count);
  const shown = behind.none ? cutout : new Uint8ClampedArray(4 * count);
  const [red, green, blue] = behind.colour ?? [0, 0, 0];
  const under = behind.data;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, from = y * out.width; x < width; x++, at++, from++) {
      const a = out.pha[from];
      const r = 255 * out.fgr[from], g = 255 * out.fgr[from + size], b = 255 * out.fgr[from + 2 * size];
      const to = 4 * at;
      alpha[at] = a;
      cutout[to] = r;
      cutout[to + 1] = g;
      cutout[to + 2] = b;
      cutout[to + 3] = 255 * a;
      if (behind.none) continue;
      shown[to] = a * r + (1 - a) * (under ? under[to] : red);
      shown[to + 1] = a * g + (1 - a) * (under ? under[to + 1] : green);
      shown[to + 2] = a * b + (1 - a) * (under ? under[to + 2] : blue);
      shown[to + 3] = 255;
    }
  }
  return {cutout, alpha, picture: new ImageData(behind.none ? cutout.slice() : shown, width, height)};
}
