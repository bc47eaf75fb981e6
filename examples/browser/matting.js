// The network's side of the page: a worker that mattes, so that the page stays awake meanwhile.

/** What a request of a closed `Matting` is rejected with: another worker has taken its place. */
export class Closed extends Error {}

/** Speaks to worker.js. One request at a time is answered after the other, in order. */
export class Matting {
  constructor() {
    this.worker = new Worker(new URL('./worker.js', import.meta.url), {type: 'module'});
    this.waiting = new Map();
    this.asked = 0;
    this.ended = null; // why nothing will be answered any more
    this.worker.onmessage = ({data}) => {
      if (!this.waiting.has(data.id)) return;
      const {resolve, reject} = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      data.error ? reject(new Error(data.error)) : resolve(data);
    };
    this.worker.onerror = (event) => this.end(new Error(event.message || 'the worker did not start'));
  }

  /** Load a model. device: 'wasm' or 'webgpu'. Resolves to {device, threads}. */
  load(model, device, threads) {
    return this.ask({kind: 'load', model, device, threads});
  }

  /** Set the plate: ImageBitmaps of one size, whose mean it is; side: the long side it is reduced to, 0 for none. */
  plate(pictures, side) {
    return this.ask({kind: 'plate', pictures, side}, pictures);
  }

  /** Set what lies behind: {colour: [r, g, b]}, {picture: ImageBitmap}, {blur: true} or {none: true}. */
  background(background) {
    return this.ask({kind: 'background', background}, background.picture ? [background.picture] : []);
  }

  /**
   * Matte a shot (an ImageBitmap, which is given away). Resolves to {width, height, composite (ImageBitmap),
   * cutout (RGBA pixels, straight alpha), pha (Float32Array in [0, 1]), milliseconds (of the network)}.
   */
  matte(shot, side) {
    return this.ask({kind: 'matte', shot, side}, [shot]);
  }

  ask(message, transfer = []) {
    const id = ++this.asked;
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, {resolve, reject});
      this.worker.postMessage({...message, id}, transfer);
    });
  }

  /** End the worker; what was asked and is not answered is rejected with `Closed`. */
  close() {
    this.worker.terminate();
    this.end(new Closed('the network is loaded anew'));
  }

  end(error) {
    this.ended ??= error;
    for (const {reject} of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
