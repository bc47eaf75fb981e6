"""Chromium without a window, driven by Selenium, with a webcam that shows our own pictures."""

import base64
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

import bgm.people
from bgm.data import Procedural
from bgm.ops import composite, resize
from bgm.pictures import read_picture, to_uint8

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "browser" / "site"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
RATE = 10  # of the webcam, frames a second
PHASE = 100  # frames without, then as many with the person


def missing() -> str:
    """Why the page cannot be driven here; empty when it can."""
    if CHROMIUM is None or DRIVER is None:
        return "Chromium or chromedriver is not installed (Debian: chromium, chromium-driver)"
    if not (SITE / "model.onnx").is_file():
        return "build/browser/site is not there: `make browser` writes it (it needs npm)"
    return ""


def serve_module() -> Any:
    """examples/browser/serve.py, which is no part of a package."""
    spec = spec_from_file_location("serve", ROOT / "examples" / "browser" / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(folder: Path, threads: bool = True) -> Iterator[str]:
    """The address of folder as serve.py serves it, or as a server does that knows no threads."""
    serve = serve_module()
    serving = serve.server(folder, 0, serve.Handler if threads else serve.WithoutThreads)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{serving.server_port}"
    finally:
        serving.shutdown()
        serving.server_close()


@contextmanager
def opened(
    url: str, camera: Path | None = None, refused: bool = False, flags: Sequence[str] = ()
) -> Iterator[Any]:
    """A Selenium driver at url.

    camera: a .y4m that a fake webcam shows, in a loop; without it there is no camera. refused: a
    user who says no. flags: more of Chromium's.
    """
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    more = ["--headless=new", "--window-size=1100,1000", "--disable-dev-shm-usage", *flags]
    if os.geteuid() == 0:
        more.append("--no-sandbox")  # Chromium's sandbox does not start for root
    if camera is not None:
        more.append("--use-fake-device-for-media-stream")
        more.append(f"--use-file-for-fake-video-capture={camera}")
        allowed = {
            "profile.default_content_setting_values.media_stream_camera": 2 if refused else 1
        }
        options.add_experimental_option("prefs", allowed)
    for flag in more:
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(200)
    try:
        driver.get(url)
        yield driver
    finally:
        driver.quit()


def asynchronous(driver: Any, body: str, *arguments: Any) -> Any:
    """What body, the inside of an async function (args) with the page's state, returns."""
    answer = driver.execute_async_script(
        "const args = [...arguments], done = args.pop();"
        "import(new URL('./page.js', location.href)).then(async ({state}) => {" + body + "})"
        ".then((value) => done({value}), (error) => done({error: String(error.stack ?? error)}));",
        *arguments,
    )
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["value"]


BASE64 = """
const base64 = (bytes) => {
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768)
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
};
"""


def last_alpha(driver: Any) -> Tensor:
    """Alpha (H, W) of what the page showed last."""
    found = asynchronous(
        driver,
        f"{BASE64} const {{width, height, pha}} = state.last;"
        "return {width, height, bytes: base64(new Uint8Array(pha.buffer))};",
    )
    values = np.frombuffer(base64.b64decode(found["bytes"]), np.float32)
    return torch.from_numpy(values.reshape(found["height"], found["width"]).copy())


def person_in_a_place(size: tuple[int, int], seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """src (3, H, W), bgr (3, H, W) and pha (1, H, W) in [0, 1]: one of bgm.people, a drawn place.

    The person is as high as 0.8 of the picture and stands on its lower border.
    """
    height, width = size
    bgr = Procedural(size, 1, seed)[0].bgr.float() / 255
    files = sorted(bgm.people.FOLDER.glob("*.webp"))
    rgba = read_picture(files[seed * 7 % len(files)], "RGBA").float() / 255
    share = min(0.8 * height / rgba.shape[1], 0.8 * width / rgba.shape[2])
    high, wide = (max(1, round(n * share)) for n in rgba.shape[1:])
    small = resize(torch.cat([rgba[:3] * rgba[3:], rgba[3:]])[None], [high, wide])[0]
    left = (width - wide) * (seed % 3 + 1) // 4
    fgr, pha = torch.zeros(3, *size), torch.zeros(1, *size)
    pha[:, height - high :, left : left + wide] = small[3:]
    fgr[:, height - high :, left : left + wide] = small[:3] / small[3:].clamp_min(1e-3)
    return composite(fgr.clamp(0, 1), pha, bgr), bgr, pha


def write_webcam(path: Path, src: Tensor, bgr: Tensor) -> None:
    """A .y4m of PHASE frames of bgr, then of src, (3, H, W) in [0, 1], each with its own noise."""
    generator = torch.Generator().manual_seed(0)
    height, width = src.shape[1:]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{RATE}:1 Ip A1:1 C420\n".encode())
        for picture in [bgr] * PHASE + [src] * PHASE:
            noise = torch.randn(picture.shape, generator=generator) * 0.005
            pixels = to_uint8(picture + noise).permute(1, 2, 0).contiguous().numpy()
            file.write(b"FRAME\n" + cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420).tobytes())
