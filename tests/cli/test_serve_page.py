"""`bgm serve` as it is typed, in headless Chromium: pictures go up, mattes come back."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
import torch

from bgm.cli.serve.live_model import Knobs, LiveModel
from bgm.cli.serve.results import matte_pictures
from bgm.pictures import read_picture, write_png
from tests.examples import chromium

pytest.importorskip(
    "selenium", reason="selenium is not installed (pip install 'bgm-matting[browser]')"
)
pytest.importorskip("gradio", reason="gradio is not installed (pip install 'bgm-matting[serve]')")
HERE = bool(chromium.CHROMIUM and chromium.DRIVER)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not HERE, reason="Chromium or chromedriver is not installed"),
]

PATIENCE = 300  # seconds after which something will not happen any more
SCREENSHOT = chromium.ROOT / "build" / "serve.png"
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(temporary):
    """The address of a page that allows 1 megapixel and 2 MB."""
    port = free_port()
    words = ["device=cpu", f"port={port}", "max_megapixels=1", "max_megabytes=2"]
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(chromium.ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "bgm", "serve", *words],
        env=environment,
        cwd=temporary,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        left = list(temporary.glob("bgm-serve-*"))
    assert left == []


@pytest.fixture
def page(server):
    with chromium.opened(server) as driver:
        until(driver, lambda: driver.find_elements("css selector", "#bgr input[type=file]"))
        yield driver


def until(driver, happened, what="the page"):
    """What happened() returns once that is true; the page's words if it never is."""
    from selenium.common.exceptions import StaleElementReferenceException

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if value := happened():
                return value
        except StaleElementReferenceException:
            pass
        time.sleep(0.1)
    words = driver.find_element("tag name", "body").text
    raise AssertionError(f"{what} did not happen; the page says: {words}")


def upload(driver, element: str, path: Path) -> None:
    driver.find_element("css selector", f"#{element} input[type=file]").send_keys(str(path))


def notes(driver) -> str:
    return driver.find_element("id", "notes").text


def download(driver, element: str, folder: Path) -> Path:
    """The file that a click on a button brings into an empty folder."""
    folder.mkdir()
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    button = driver.find_element("id", element)
    driver.execute_script("arguments[0].click()", button)

    def whole() -> list[Path]:
        return [path for path in folder.iterdir() if path.suffix != ".crdownload"]

    until(driver, whole, f"a file of {element}")
    return whole()[0]


def write_pair(folder: Path) -> tuple[Path, Path]:
    src, bgr, _ = chromium.person_in_a_place((240, 320), 3)
    write_png(folder / "shot.png", src)
    write_png(folder / "plate.png", bgr)
    return folder / "shot.png", folder / "plate.png"


def toast(driver) -> str:
    found = driver.find_elements("css selector", ".toast-body")
    return found[-1].text if found else ""


def test_a_picture_goes_up_and_its_matte_comes_back(page, tmp_path):
    src, bgr = write_pair(tmp_path)
    upload(page, "src", src)
    upload(page, "bgr", bgr)
    until(page, lambda: notes(page) and "Choose a shot" not in notes(page), "a matte")
    until(page, lambda: page.find_elements("css selector", "#slider img"), "a slider")
    found = read_picture(download(page, "rgba", tmp_path / "rgba"), "RGBA")
    (tmp_path / "x").mkdir()
    expected = matte_pictures(LiveModel("mobilenetv2", "cpu"), src, bgr, Knobs(), tmp_path / "x")
    assert torch.equal(found, read_picture(expected.rgba, "RGBA"))
    assert found[3].float().mean() > 10
    exr = download(page, "exr", tmp_path / "exr").read_bytes()
    assert exr[:4] == b"\x76\x2f\x31\x01"
    for name in ("alpha", "refined-patches"):
        until(page, lambda n=name: page.find_elements("css selector", f"#view-{n} img"), name)
    SCREENSHOT.parent.mkdir(exist_ok=True)
    page.save_screenshot(str(SCREENSHOT))
    # A knob is live: nothing is refined with a threshold that nothing reaches.
    page.find_element("css selector", "#select input[value=full]").click()

    def all_refined():
        image = page.find_elements("css selector", "#view-refined-patches img")
        if not image:
            return False
        try:
            read = LOCAL.open(image[0].get_attribute("src")).read()
        except HTTPError:  # the file of a view that is being replaced
            return False
        (tmp_path / "ref.png").write_bytes(read)
        return bool((read_picture(tmp_path / "ref.png", "L") == 255).all())

    until(page, all_refined, "everything refined")


def test_errors_are_sentences(page, tmp_path):
    src, _ = write_pair(tmp_path)
    write_png(tmp_path / "small.png", torch.rand(3, 60, 80))
    upload(page, "src", src)
    upload(page, "bgr", tmp_path / "small.png")
    until(page, lambda: "80x60" in toast(page), "a sentence about the sizes")
    assert "/" not in toast(page)


@pytest.mark.parametrize("kind", ["words", "pixels", "bytes"])
def test_what_is_too_large_or_no_picture_is_refused(page, tmp_path, kind):
    path = tmp_path / "refused.png"
    if kind == "words":
        path.write_text("no picture")
    elif kind == "pixels":
        write_png(path, torch.zeros(3, 1500, 1500))
    else:
        write_png(path, torch.rand(3, 900, 900))
    upload(page, "src", path)
    until(page, lambda: toast(page), "a sentence")
    words = {"words": "refused.png", "pixels": "exceeds limit", "bytes": "2.0 Mb"}
    assert words[kind] in toast(page)
