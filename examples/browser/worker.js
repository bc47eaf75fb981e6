// Loads an exported .onnx in onnxruntime-web, mattes shots with it and composes them.

import {Plane, blurred, compose, reduced, toTensor} from './pixels.js';

let ort, session, plate, planes;
let background = {colour: [0, 177, 64]};
let behind = null; // the background at the plate's size

const answers = {load, plate: setPlate, background: setBackground, matte};

// A request begins when the one before has its answer: a new plate would change what a matte is made of.
let before = Promise.resolve();
self.onmessage = ({data}) => (before = before.then(() => reply(data)));

async function reply(data) {
  try {
    const [answer, transfer] = await answers[data.kind](data);
    self.postMessage({...answer, id: data.id}, transfer);
  } catch (error) {
    self.postMessage({id: data.id, error: error.message || String(error)});
  }
}

async function load({model, device, threads}) {
  // Two builds know WebGPU: the smaller one needs a browser whose WebAssembly can wait for promises.
  const gpu = 'Suspending' in WebAssembly ? 'ort.jspi.min.mjs' : 'ort.webgpu.min.mjs';
  ort = await import(`./ort/${device === 'webgpu' ? gpu : 'ort.wasm.min.mjs'}`);
  ort.env.wasm.wasmPaths = new URL('./ort/', import.meta.url).href;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? threads : 1;
  const found = await fetch(model);
  if (!found.ok) throw new Error(`${model} is missing here (${found.status}): \`make browser\` writes it`);
  const bytes = new Uint8Array(await found.arrayBuffer());
  session = await ort.InferenceSession.create(bytes, {executionProviders: [device], logSeverityLevel: 3});
  return [{device, threads: ort.env.wasm.numThreads, bytes: bytes.length}, []];
}

async function setPlate({pictures, side}) {
  const sizes = new Set(pictures.map((p) => `${p.width}x${p.height}`));
  if (sizes.size !== 1) throw new Error(`the pictures of the plate have several sizes: ${[...sizes].join(', ')}`);
  const original = {width: pictures[0].width, height: pictures[0].height};
  const sums = pictures.map((picture) => reduced(picture, side));
  const {width, height} = sums[0];
  const mean = new Float32Array(width * height * 4);
  for (const {data} of sums) for (let i = 0; i < mean.length; i++) mean[i] += data[i] / sums.length;
  plate = {original, side, width, height, data: mean};
  planes = {src: new Plane(width, height), bgr: new Plane(width, height)};
  toTensor(plate, planes.bgr);
  behind = await drawBackground();
  return [{width, height}, []];
}

async function setBackground(message) {
  background = message.background;
  if (plate) behind = await drawBackground();
  return [{}, []];
}

async function drawBackground() {
  if (background.blur) return blurred(plate);
  if (background.picture) return reduced(background.picture, 0, plate);
  return background; // {colour} or {none}
}

async function matte({shot, side}) {
  if (!session) throw new Error('the network is not loaded yet');
  if (!plate) throw new Error('there is no plate yet');
  const {original} = plate;
  if (shot.width !== original.width || shot.height !== original.height || side !== plate.side) {
    throw new Error(`the shot is ${shot.width}x${shot.height}, the plate ${original.width}x${original.height}: both must have one size`);
  }
  const {width, height} = plate;
  toTensor(reduced(shot, side), planes.src);
  shot.close();
  const shape = [1, 3, planes.src.height, planes.src.width];
  const feeds = {src: new ort.Tensor('float32', planes.src.values, shape), bgr: new ort.Tensor('float32', planes.bgr.values, shape)};
  const start = performance.now();
  const {pha, fgr} = await session.run(feeds, ['pha', 'fgr']);
  const milliseconds = performance.now() - start;
  const padded = {width: planes.src.width, height: planes.src.height, pha: pha.data, fgr: fgr.data};
  const {cutout, alpha, picture} = compose(padded, width, height, behind);
  const composite = await createImageBitmap(picture);
  return [{width, height, composite, cutout, pha: alpha, milliseconds}, [composite, cutout.buffer, alpha.buffer]];
}
