"""Ten seconds of 1080p, handheld, with sound, into what editors and browsers take."""

import json
import shutil
import subprocess
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from bgm.data import Procedural, open_subjects
from bgm.infer.foreground import FOREGROUNDS
from bgm.infer.models import open_model
from bgm.infer.plate.fixes import plate_fixes
from bgm.infer.predict import predict
from bgm.infer.sources import video
from bgm.infer.video_sink import VideoSink
from bgm.ops import composite
from bgm.people import FOLDER
from bgm.pictures import write_png
from bgm.video.decode import read_header
from tests.examples import chromium
from tests.video.clips import each_alpha, heard, write_clip

H, W, RATE, SECONDS = 1080, 1920, Fraction(25), 10
PAGE = """<!doctype html><style>body {margin: 0; background: rgb(0, 200, 0)}</style>
<video muted width=640 height=360></video>"""
LOOK = """
const [time, done] = arguments, video = document.querySelector("video");
const look = () => requestAnimationFrame(() => {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
  const alpha = [];
  for (let at = 3; at < data.length; at += 4 * 997) alpha.push(data[at]);
  done(alpha);
});
video.addEventListener("loadeddata", () => { video.currentTime = time; }, {once: true});
video.addEventListener("seeked", look, {once: true});
fetch("shot.webm").then(answer => answer.blob())  // a blob can be sought in, whatever serves it
  .then(blob => { video.src = URL.createObjectURL(blob); });
"""


class Handheld:
    """A person who walks before a place, seen by a camera that shakes by a pixel or two."""

    def __init__(self):
        place = Procedural(length=4, size=512, seed=5)[3].bgr.permute(1, 2, 0).numpy()
        self.place = cv2.resize(place, (W + 8, H + 8))
        pha, fgr = open_subjects(FOLDER).read(3, 900)
        self.person = [(x[:, :900, :].float() / 255)[..., :W] for x in (pha, fgr)]

    def place_at(self, dx, dy):
        shift = np.float32([[1, 0, dx - 4], [0, 1, dy - 4]])
        moved = cv2.warpAffine(self.place, shift, (W, H), flags=cv2.INTER_CUBIC)
        return torch.from_numpy(moved).permute(2, 0, 1).float() / 255

    def __call__(self, i, size=(H, W)):
        place = self.place_at(1.5 * np.sin(i / 7), 1.2 * np.cos(i / 5))
        pha, fgr = self.person
        left = 200 + 3 * i
        pha, fgr = (torch.zeros(len(x), H, W) for x in (pha, fgr))
        for whole, part in zip((pha, fgr), self.person, strict=True):
            whole[:, -part.shape[1] :, left : left + part.shape[2]] = part[:, :, : W - left]
        return composite(fgr, pha, place).clamp(0, 1)


class Both:
    """One run into two files; keeps alpha as it was before it was encoded."""

    def __init__(self, *sinks):
        self.sinks, self.given = sinks, []

    def __enter__(self):
        for sink in self.sinks:
            sink.__enter__()
        return self

    def __exit__(self, *error):
        for sink in self.sinks:
            sink.__exit__(*error)

    def write(self, frame, matte):
        self.given.append((matte.pha[0, 0] * 65535).round().to(torch.uint16))
        for sink in self.sinks:
            sink.write(frame, matte)


def check_with_ffprobe(path, frames):
    """That FFmpeg's own program finds nothing wrong, and as many frames."""
    if shutil.which("ffprobe") is None:
        return
    done = subprocess.run(
        ["ffprobe", "-v", "warning", "-count_packets", "-show_streams", "-of", "json", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    streams = {stream["codec_type"]: stream for stream in json.loads(done.stdout)["streams"]}
    assert set(streams) >= {"video", "audio"}
    assert int(streams["video"]["nb_read_packets"]) == frames
    assert Fraction(streams["video"]["avg_frame_rate"]) == RATE


def check_in_chromium(folder, given):
    """That Chromium shows the page where alpha is 0, and alpha as it was given."""
    pytest.importorskip("selenium")
    if chromium.CHROMIUM is None or chromium.DRIVER is None:
        pytest.skip("Chromium or chromedriver is not installed")
    (folder / "index.html").write_text(PAGE)
    index = len(given) // 2
    with chromium.served(folder) as address, chromium.opened(address) as driver:
        seen = driver.execute_async_script(LOOK, float((index + 0.5) / RATE))
        driver.save_screenshot(str(folder / "chromium.png"))
    expected = given[index].flatten()[::997].float() / 65535
    found = torch.tensor(seen) / 255
    assert (found - expected).abs().mean() < 1.5 / 255
    shown = cv2.imread(str(folder / "chromium.png"))  # the video's size divided by 3
    assert given[index][150:180, 1800:1830].float().max() == 0
    assert np.abs(shown[50:60, 600:610].astype(int) - [0, 200, 0]).max() <= 2
    inside = (given[index][::3, ::3].float() > 65000).nonzero()
    y, x = inside[len(inside) // 2].tolist()  # within the person, wherever that is by now
    assert np.abs(shown[y, x].astype(int) - [0, 200, 0]).max() > 50


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_seconds_of_a_handheld_shot(tmp_path):
    frames = int(SECONDS * RATE)
    shot = Handheld()
    source = write_clip(
        tmp_path / "shot.mp4", frames, picture=shot, size=(H, W), rate=RATE, audio="aac"
    )
    write_png(tmp_path / "plate.png", (shot.place_at(0, 0) * 255).round().byte())
    clip = video(source, tmp_path / "plate.png")
    model, said = open_model("efficientnet_lite0"), []
    options = {"rate": clip.rate, "source": clip.header, "say": said.append}
    sinks = {name: VideoSink(tmp_path / name, ["com"], output=name, **options)
             for name in ("prores", "webm")}  # fmt: skip
    both = Both(*sinks.values())
    fixes = plate_fixes("auto", False, 10, False)
    assert predict(model.net, clip, both, fixes=fixes, foreground=FOREGROUNDS["auto"],
                   scale=model.scale, say=said.append) == frames  # fmt: skip
    for name, suffix in (("prores", "mov"), ("webm", "webm")):
        path = tmp_path / name / "com" / f"shot.{suffix}"
        errors = [
            (found - given / 65535).abs().mean()
            for found, given in zip(each_alpha(path), both.given, strict=True)
        ]
        assert torch.stack(errors).mean() < 1 / 255
        assert abs(read_header(path).rate - RATE) < 0.01
        ((_, before),), ((_, after),) = heard(source), heard(path)
        assert abs(before - after) < 0.03
        check_with_ffprobe(path, frames)
    check_in_chromium(tmp_path / "webm" / "com", both.given)
