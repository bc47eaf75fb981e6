// The page: camera or pictures in, composite out. Everything that goes wrong is one sentence on it.

import {Closed, Matting} from './matting.js';

const COLOURS = {green: [0, 177, 64], white: [255, 255, 255], black: [0, 0, 0]};
const PLATE_PICTURES = 8; // averaged, so that the camera's noise is not in the plate
const MODEL = 'model.onnx';

const at = (id) => document.getElementById(id);
const video = at('video');
const context = at('composite').getContext('2d');

export const state = {matting: null, ready: null, plate: null, shot: null, last: null, frames: 0};
let loads = 0; // how often the network was loaded: of several at a time the last one counts
let given = 0; // the size for which the network was given its plate
let live = null; // the camera's track while frames are matted
let shown = null; // when the last frame was, for the frames per second
let pace = 0;

// ---- sentences

function say(text) {
  at('status').textContent = text;
}

/** One sentence on the page, until the same topic has another one, or none. */
function note(topic, text) {
  at(`note-${topic}`)?.remove();
  if (!text) return;
  const item = document.createElement('li');
  item.id = `note-${topic}`;
  item.textContent = text;
  at('notes').append(item);
}

const CAMERA = {
  NotAllowedError: 'The camera was refused: allow it beside the address of this page and press Camera again, or choose two pictures.',
  NotFoundError: 'No camera was found: connect one and press Camera again, or choose two pictures.',
  NotReadableError: 'The camera is in use by another program: close that one and press Camera again, or choose two pictures.',
};

// ---- the network

async function adapter() {
  return (await navigator.gpu?.requestAdapter()) ?? null;
}

function threadsHere() {
  const processors = navigator.hardwareConcurrency || 2;
  return Math.min(8, Math.max(2, Math.ceil(processors / 2)), processors);
}

async function load() {
  const turn = ++loads;
  const wanted = at('device').value;
  const gpu = wanted === 'wasm' ? null : await adapter();
  if (turn !== loads) throw new Closed();
  const hasNone = wanted !== 'wasm' && !gpu;
  note('webgpu', hasNone && 'This browser has no WebGPU: WebAssembly on the processor is used, which is slower.');
  note('threads', !self.crossOriginIsolated && 'This page has no threads, as its server does not send the headers that serve.py sends: one thread is used, which is slower.');
  state.matting?.close();
  state.matting = new Matting();
  say('Loading the network');
  let loaded;
  if (gpu) {
    try {
      loaded = await state.matting.load(MODEL, 'webgpu', threadsHere());
    } catch (error) {
      if (error instanceof Closed) throw error;
      note('webgpu', `WebGPU does not run this network here (${firstLine(error)}): WebAssembly on the processor is used, which is slower.`);
      state.matting.close();
      state.matting = new Matting();
    }
  }
  loaded ??= await state.matting.load(MODEL, 'wasm', threadsHere());
  state.loaded = loaded;
  await setBackground();
  await giveBack();
  say(live ? 'Live' : 'Ready: start the camera, or choose a shot and its plate');
}

function firstLine(error) {
  return String(error.message ?? error).split('\n')[0];
}

function reload() {
  state.ready = load().catch((error) => {
    if (!(error instanceof Closed)) say(`The network could not be loaded: ${firstLine(error)}.`);
  });
  return ready();
}

/** When the network that was asked for last is there, or could not be loaded. */
async function ready() {
  for (let last = null; last !== state.ready; ) {
    last = state.ready;
    await last;
  }
}

/** Hand the plate, and a shot of pictures, to the network again: another size, or another worker. */
async function giveBack() {
  if (state.plate) await givePlate(state.plate);
  if (state.shot && !live) await showShot();
}

// ---- plate and shots

async function givePlate(pictures) {
  state.plate = pictures;
  const copies = await Promise.all(pictures.map((picture) => createImageBitmap(picture)));
  given = Number(at('size').value); // with the message: frames asked for from now on come after it
  return state.matting.plate(copies, given);
}

/** Matte one ImageBitmap and show it; resolves to what the worker answered. */
async function show(bitmap) {
  const last = await state.matting.matte(bitmap, given);
  const {canvas} = context;
  if (canvas.width !== last.width || canvas.height !== last.height) {
    canvas.width = last.width;
    canvas.height = last.height;
  }
  context.clearRect(0, 0, last.width, last.height);
  context.drawImage(last.composite, 0, 0);
  last.composite.close();
  state.last = last;
  state.frames++;
  at('save').disabled = false;
  const {device, threads} = state.loaded;
  const by = device === 'webgpu' ? 'WebGPU' : `WebAssembly, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const rate = live && pace ? `, ${pace.toFixed(1)} frames a second` : '';
  at('speed').textContent = `${last.width}x${last.height}, network ${last.milliseconds.toFixed(0)} ms${rate} (${by})`;
  return last;
}

async function showShot() {
  if (!state.shot || !state.plate) return;
  const [shot, plate] = [state.shot, state.plate[0]];
  const differ = shot.width !== plate.width || shot.height !== plate.height;
  note('size', differ && `The shot is ${shot.width}x${shot.height} and the plate ${plate.width}x${plate.height}: choose two pictures of one size.`);
  if (differ) return;
  await show(await createImageBitmap(shot));
  say('Done');
}

async function choose(kind, file) {
  if (!file) return;
  stopCamera();
  let picture;
  try {
    picture = await createImageBitmap(file, {colorSpaceConversion: 'none'});
  } catch {
    note('picture', `${file.name} is no picture that this browser can read.`);
    return;
  }
  note('picture', null);
  await ready();
  if (kind === 'shot') {
    state.shot = picture;
    if (!state.plate) say('Now choose the plate: the same place without the subject');
  } else {
    await givePlate([picture]);
    if (!state.shot) say('Now choose the shot');
  }
  await showShot();
}

// ---- the camera

async function startCamera() {
  note('camera', null);
  if (!navigator.mediaDevices?.getUserMedia) {
    note('camera', 'This page gets no camera at this address: open it at localhost or over https, or choose two pictures.');
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 1280}, height: {ideal: 720}}});
  } catch (error) {
    note('camera', CAMERA[error.name] ?? `The camera did not start (${firstLine(error)}): choose two pictures instead.`);
    return;
  }
  stopCamera();
  Object.assign(state, {plate: null, shot: null});
  note('size', null);
  video.srcObject = stream;
  await video.play();
  const [track] = stream.getVideoTracks();
  track.onended = () => {
    stopCamera();
    note('camera', 'The camera stopped: connect it and press Camera again.');
  };
  video.hidden = false;
  video.classList.add('large');
  at('take').disabled = false;
  say('Leave the picture and take the plate: the place without you');
  state.track = track;
}

function stopCamera() {
  live = null;
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  video.hidden = true;
  at('take').disabled = true;
}

/** Keep exposure, white balance and focus as they are, where the camera lets a page do so. */
async function holdSettings(track) {
  const can = track.getCapabilities?.() ?? {};
  const held = ['exposureMode', 'whiteBalanceMode', 'focusMode'].filter((name) => can[name]?.includes('manual'));
  await track.applyConstraints({advanced: held.map((name) => ({[name]: 'manual'}))}).catch(() => {});
}

const nextFrame = () =>
  new Promise((resolve) => video.requestVideoFrameCallback ? video.requestVideoFrameCallback(resolve) : requestAnimationFrame(resolve));
const seconds = (count) => new Promise((resolve) => setTimeout(resolve, 1000 * count));

async function takePlate() {
  const {track} = state;
  live = null;
  at('take').disabled = true;
  video.classList.add('large');
  at('count').hidden = false;
  for (let left = Number(at('countdown').value); left > 0; left--) {
    say('Leave the picture');
    at('count').textContent = left;
    await seconds(1);
  }
  at('count').hidden = true;
  await ready();
  if (track !== state.track || !video.srcObject) return; // stopped meanwhile
  await holdSettings(track);
  const pictures = [];
  while (pictures.length < PLATE_PICTURES) {
    await nextFrame();
    pictures.push(await createImageBitmap(video));
  }
  try {
    await givePlate(pictures);
  } catch (error) {
    if (!(error instanceof Closed)) throw error;
    await ready(); // the network that took its place has got the plate
  } finally {
    at('take').disabled = false;
  }
  video.classList.remove('large');
  say('Live');
  live = track;
  shown = null;
  mattesWhile(track);
}

async function mattesWhile(track) {
  while (live === track) {
    await nextFrame();
    if (live !== track || !video.videoWidth) return;
    const [plate] = state.plate;
    if (video.videoWidth !== plate.width || video.videoHeight !== plate.height) {
      live = null;
      note('size', `The camera now gives ${video.videoWidth}x${video.videoHeight} and the plate is ${plate.width}x${plate.height}: take the plate again.`);
      return;
    }
    note('size', null);
    await ready();
    try {
      await show(await createImageBitmap(video));
    } catch (error) {
      if (error instanceof Closed) continue; // another network is on its way, and gets the plate
      if (live !== track) return;
      live = null;
      say(`The frame could not be matted: ${firstLine(error)}.`);
      return;
    }
    const now = performance.now();
    if (shown !== null) pace = pace ? 0.9 * pace + 100 / (now - shown) : 1000 / (now - shown);
    shown = now;
  }
}

// ---- the background, and what the controls do

async function setBackground() {
  const kind = at('background').value;
  at('backdrop').hidden = kind !== 'picture';
  const [file] = at('backdrop').files;
  if (kind === 'picture' && file) {
    try {
      await state.matting.background({picture: await createImageBitmap(file)});
      note('backdrop', null);
    } catch {
      note('backdrop', `${file.name} is no picture that this browser can read.`);
    }
  } else if (kind !== 'picture') {
    await state.matting.background(kind in COLOURS ? {colour: COLOURS[kind]} : {[kind]: true});
  }
}

async function changeBackground() {
  await ready();
  await setBackground();
  if (!live) await showShot();
}

function save() {
  const {width, height, cutout} = state.last;
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  canvas.getContext('2d').putImageData(new ImageData(cutout, width, height), 0, 0);
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(blob), download: 'cutout.png'});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

/** What a control starts, with whatever goes wrong in it as a sentence. */
const on = (id, event, act) =>
  at(id).addEventListener(event, () => Promise.resolve(act()).catch((error) => error instanceof Closed || say(`That failed: ${firstLine(error)}.`)));

// Browsers tell of no change when the same file is chosen again, which may hold another picture by now.
for (const id of ['shot', 'plate', 'backdrop']) on(id, 'click', () => void (at(id).value = ''));
on('camera', 'click', startCamera);
on('take', 'click', takePlate);
on('shot', 'change', () => choose('shot', at('shot').files[0]));
on('plate', 'change', () => choose('plate', at('plate').files[0]));
on('background', 'change', changeBackground);
on('backdrop', 'change', changeBackground);
on('size', 'change', () => ready().then(giveBack));
on('device', 'change', reload);
on('save', 'click', save);
reload();
