"""The page of examples/browser in Chromium: alpha as on the CPU, a live composite, sentences.

Runs after `make browser` has built the page; each skip says what is not there.
"""

import time
from pathlib import Path

import pytest
import torch

from bgm.export.targets.onnx_runtimes import open_onnx
from bgm.infer.any_size import run_any_size
from bgm.pictures import read_picture, write_png
from tests.examples import chromium

pytest.importorskip(
    "selenium", reason="selenium is not installed (pip install 'bgm-matting[browser]')"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing()),
]

PATIENCE = 300  # seconds after which something will not happen any more
ROUNDS = 3  # timed ones, at every size
SCREENSHOT = chromium.ROOT / "build" / "browser" / "live.png"

MATTE_AGAIN = """
const [rounds] = args, times = [];
for (let round = 0; round < rounds; round++) {
  const shot = await createImageBitmap(state.shot);
  times.push((await state.matting.matte(shot, 0)).milliseconds);
}
return times;
"""
# The webcam as the page sees it, 16 x 12 pixels of (R, G, B) in 0..255.
SEEN = """
const canvas = new OffscreenCanvas(16, 12), drawn = canvas.getContext('2d');
drawn.drawImage(document.getElementById('video'), 0, 0, 16, 12);
return [...drawn.getImageData(0, 0, 16, 12).data];
"""
# How far the pictures of the plate differ at most from the first, in the mean of R, G, B.
PLATE_SPREAD = """
const pixels = state.plate.map((picture) => {
  const drawn = new OffscreenCanvas(64, 48).getContext('2d');
  drawn.drawImage(picture, 0, 0, 64, 48);
  return drawn.getImageData(0, 0, 64, 48).data;
});
const mean = (a, b) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;
return {count: pixels.length, spread: Math.max(...pixels.map((p) => mean(p, pixels[0])))};
"""


@pytest.fixture(scope="module")
def url():
    with chromium.served(chromium.SITE) as address:
        yield address


@pytest.fixture(scope="module")
def page(url):
    with chromium.opened(url) as driver:
        yield driver


@pytest.fixture(scope="module")
def webcam(tmp_path_factory):
    """A .y4m of 480x360, and the place and the true alpha that it shows."""
    path = tmp_path_factory.mktemp("webcam") / "webcam.y4m"
    src, bgr, pha = chromium.person_in_a_place((360, 480), 4)
    chromium.write_webcam(path, src, bgr)
    return path, bgr, pha


def text(driver, element):
    return driver.find_element("id", element).text


def until(driver, happened, what):
    """What happened() returns once that is true; the page's own words if it never is."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := happened():
            return value
        time.sleep(0.1)
    notes, status = text(driver, "notes"), text(driver, "status")
    raise AssertionError(f"{what} did not happen; the page says: {status} {notes}")


def choose(driver, element, value):
    driver.execute_script(
        "const at = document.getElementById(arguments[0]); at.value = arguments[1];"
        "at.dispatchEvent(new Event('change'));",
        element,
        value,
    )


def frames(driver):
    return chromium.asynchronous(driver, "return state.frames;")


def matte_pictures(driver, folder: Path):
    """Choose shot.png and plate.png of folder at their own size; returns alpha (H, W)."""
    before = frames(driver)
    chromium.asynchronous(driver, "state.shot = state.plate = null; await state.ready;")
    choose(driver, "size", "0")
    for name in ("shot", "plate"):
        driver.find_element("id", name).send_keys(str(folder / f"{name}.png"))
    until(driver, lambda: frames(driver) > before, "a matte")
    return chromium.last_alpha(driver)


def write_pair(folder, size, seed):
    src, bgr, pha = chromium.person_in_a_place(size, seed)
    write_png(folder / "shot.png", src)
    write_png(folder / "plate.png", bgr)
    return pha[0]


@pytest.mark.parametrize("size", [(144, 256), (288, 512), (540, 960), (131, 243)], ids=str)
def test_alpha_is_that_of_onnxruntime_on_the_cpu(page, tmp_path, size, capsys):
    true = write_pair(tmp_path, size, 3)
    found = matte_pictures(page, tmp_path)
    src, bgr = (read_picture(tmp_path / f"{n}.png")[None].float() / 255 for n in ("shot", "plate"))
    expected = run_any_size(open_onnx(chromium.SITE / "model.onnx"), src, bgr).pha[0, 0]
    assert found.shape == true.shape
    largest = float((found - expected).abs().max())
    times = chromium.asynchronous(page, MATTE_AGAIN, ROUNDS)
    with capsys.disabled():
        print(f"\n{size[1]}x{size[0]}: alpha within {largest:.1e}, {min(times):.0f} ms a frame")
    assert largest <= 1e-3
    assert float((found - true).abs().mean()) < float(true.mean()) / 2  # a person, not nothing


def test_the_webcam_is_composed_live(url, webcam, capsys):
    path, bgr, true = webcam
    place = torch.nn.functional.interpolate(bgr[None], (12, 16), mode="area")[0] * 255

    def shows_the_place(driver):
        seen = torch.tensor(chromium.asynchronous(driver, SEEN)).view(12, 16, 4)[..., :3]
        return float((seen.permute(2, 0, 1) - place).abs().mean()) < 8

    def takes_a_plate(driver):
        """Begins with the first frames of the empty place; true if it still was empty at last."""
        until(driver, lambda: not shows_the_place(driver), "a frame with the person")
        until(driver, lambda: shows_the_place(driver), "a frame without the person")
        driver.find_element("id", "take").click()
        until(driver, lambda: text(driver, "status") == "Live", "a live composite")
        found = chromium.asynchronous(driver, PLATE_SPREAD)
        assert found["count"] > 1
        drawn = chromium.asynchronous(
            driver,
            SEEN.replace("document.getElementById('video')", "state.plate[0]"),
        )
        drawn = torch.tensor(drawn).view(12, 16, 4)[..., :3].permute(2, 0, 1)
        return found["spread"] < 3 and float((drawn - place).abs().mean()) < 8

    def shows_the_person(driver):
        pha = chromium.last_alpha(driver)
        size = pha.shape
        goal = torch.nn.functional.interpolate(true[None], size, mode="area")[0, 0]
        return float((pha - goal).abs().mean()) < float(goal.mean()) / 3

    with chromium.opened(url, camera=path) as driver:
        choose(driver, "size", "256")
        driver.execute_script("document.getElementById('countdown').value = 1;")
        driver.find_element("id", "camera").click()
        until(driver, lambda: not text(driver, "notes").count("camera"), "a camera")
        until(driver, lambda: driver.find_element("id", "take").is_enabled(), "a camera")
        until(driver, lambda: takes_a_plate(driver), "a plate without the person")
        before = frames(driver)
        until(driver, lambda: frames(driver) > before + 2, "frames")
        until(driver, lambda: shows_the_person(driver), "the person's alpha")
        driver.save_screenshot(str(SCREENSHOT))
        until(driver, lambda: "frames a second" in text(driver, "speed"), "frames a second")
        with capsys.disabled():
            print(f"\n{text(driver, 'speed')}; {SCREENSHOT.relative_to(chromium.ROOT)}")
        for size in ("512", "256", "960", "256"):  # also while a frame is on its way
            choose(driver, "size", size)
        before = frames(driver)
        until(driver, lambda: frames(driver) > before + 2, "frames of another size")
        assert text(driver, "status") == "Live"
        for device in ("wasm", "wasm"):  # the first one is closed before it is loaded
            choose(driver, "device", device)
        before = frames(driver)
        until(driver, lambda: frames(driver) > before + 2, "frames of another network")
        assert text(driver, "status") == "Live"
        for background in ("blur", "none", "white"):
            before = frames(driver)
            choose(driver, "background", background)
            until(driver, lambda n=before: frames(driver) > n + 1, f"{background} behind")


def test_a_plate_of_another_size_is_one_sentence(page, tmp_path):
    write_pair(tmp_path, (64, 96), 1)
    matte_pictures(page, tmp_path)
    write_png(tmp_path / "wider.png", torch.rand(3, 64, 128))
    page.find_element("id", "plate").send_keys(str(tmp_path / "wider.png"))
    until(page, lambda: "96x64" in text(page, "notes"), "a sentence")
    assert "the plate 128x64: choose two pictures of one size." in text(page, "notes")


def test_what_is_no_picture_is_one_sentence(page, tmp_path):
    (tmp_path / "words.png").write_text("no picture")
    page.find_element("id", "shot").send_keys(str(tmp_path / "words.png"))
    until(page, lambda: "words.png is no picture" in text(page, "notes"), "a sentence")


def test_no_camera_is_one_sentence(page):
    page.find_element("id", "camera").click()
    until(page, lambda: "No camera was found" in text(page, "notes"), "a sentence")


def test_a_refused_camera_is_one_sentence(url, webcam):
    with chromium.opened(url, camera=webcam[0], refused=True) as driver:
        driver.find_element("id", "camera").click()
        until(driver, lambda: "The camera was refused" in text(driver, "notes"), "a sentence")


def test_without_threads_and_webgpu_it_goes_on_and_says_so(tmp_path):
    write_pair(tmp_path, (64, 96), 1)
    with (
        chromium.served(chromium.SITE, threads=False) as url,
        chromium.opened(url, flags=["--disable-features=WebGPU"]) as driver,
    ):
        matte_pictures(driver, tmp_path)
        assert "This page has no threads" in text(driver, "notes")
        assert "This browser has no WebGPU" in text(driver, "notes")
        assert "WebAssembly, 1 thread)" in text(driver, "speed")


def test_a_missing_model_is_one_sentence(tmp_path):
    for path in chromium.SITE.iterdir():
        if path.name != "model.onnx":
            (tmp_path / path.name).symlink_to(path)
    with chromium.served(tmp_path) as url, chromium.opened(url) as driver:
        until(driver, lambda: "could not be loaded" in text(driver, "status"), "a sentence")
        assert "model.onnx is missing here (404): `make browser` writes it" in text(
            driver, "status"
        )
