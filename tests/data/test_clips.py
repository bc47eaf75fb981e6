"""Subjects in video clips: the exact frame by its number, in any order, in any process."""

import pickle
import random

import numpy as np
import pytest
import torch

from bgm.data.clips import OPEN, Clips, open_subjects
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.item_report import ItemReports, take_inventory
from bgm.data.folders import Subjects
from bgm.data.loaders.resumable import Loader
from bgm.errors import BadInput
from bgm.pictures import write_png
from bgm.video import FrameReader

av = pytest.importorskip("av", reason="the extra `video` is not installed")

H, W = 48, 64


def write(path, values, size=(W, H), bframes=2, gop=7):
    """A clip of flat frames, whose gray values no codec can hide."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {
            "crf": "4",
            "x264-params": f"keyint={gop}:min-keyint={gop}:bframes={bframes}",
        }
        for value in values:
            picture = np.full((size[1], size[0], 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def root(tmp_path):
    """Two clips of 30 and 5 frames; frame n has the colour 8 n, alpha 255 - 8 n."""
    for clip, count in {"b": 30, "deep/a": 5}.items():
        write(tmp_path / "fgr" / f"{clip}.mp4", [8 * n for n in range(count)])
        write(tmp_path / "pha" / f"{clip}.mp4", [255 - 8 * n for n in range(count)], gop=9)
    return tmp_path


def number(item):
    pha, fgr = item
    n = round(float(fgr.float().mean()) / 8)
    assert abs(float(pha.float().mean()) - (255 - 8 * n)) <= 3
    return n


def test_every_frame_by_its_number_in_any_order(root):
    clips = Clips(root)
    assert FrameReader(root / "fgr" / "b.mp4").keyframe_every == 6
    assert len(clips) == 35
    assert (clips.name(29), clips.name(30)) == ("b/000029", "deep/a/000000")
    order = list(range(35))
    expected = [*range(30), *range(5)]
    assert [number(clips[i]) for i in order] == expected
    for seed in range(3):
        random.Random(seed).shuffle(order)
        assert [number(clips[i]) for i in order] == [expected[i] for i in order]
    assert number(clips[34]) == 4  # the last one after the end was reached
    assert number(clips[34]) == 4
    with pytest.raises(IndexError, match="35"):
        clips[35]


def test_the_same_sample_whatever_was_read_before_and_where(root):
    clips, again = Clips(root), pickle.loads(pickle.dumps(Clips(root)))
    first = clips.read(11, 24)
    assert first[1].shape == (3, 24, 32)
    clips.read(12, 24), clips.read(3, 24)
    for other in (clips.read(11, 24), again.read(11, 24)):
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    clips[0]  # open in this process when the workers start
    loader = Loader(range(35), batch_size=None, num_workers=2, collate_fn=lambda i: clips[i])
    assert [number(item) for item in loader] == [*range(30), *range(5)]


def test_few_clips_stay_open(tmp_path):
    for clip in range(OPEN + 2):
        for kind in ("fgr", "pha"):
            write(tmp_path / kind / f"{clip}.mp4", [10 * clip] * 2)
    clips = Clips(tmp_path)
    for index in range(len(clips)):
        clips[index]
    assert len(clips._open) == OPEN


def test_alpha_is_snapped_and_flat_colours_do_not_bleed(tmp_path):
    write(tmp_path / "fgr" / "a.mp4", [100] * 2)
    write(tmp_path / "pha" / "a.mp4", [254, 1])
    clips = Clips(tmp_path)
    assert clips[0][0].min() == 255
    assert clips[1][0].max() == 0
    assert Clips(tmp_path, snap=0)[1][0].max() > 0


def test_what_does_not_pair_is_said_at_construction(root):
    write(root / "pha" / "b.mp4", [0] * 29)
    with pytest.raises(BadInput, match=r"fgr/b\.mp4 has 30 frames and .*pha/b\.mp4 has 29"):
        Clips(root)
    write(root / "pha" / "b.mp4", [0] * 30, size=(W, H + 16))
    with pytest.raises(BadInput, match=r"b\.mp4 is 64x48 pixels and .* is 64x64"):
        Clips(root)
    (root / "pha" / "b.mp4").unlink()
    with pytest.raises(BadInput, match=r"b \(only in fgr\)"):
        Clips(root)
    (root / "pha" / "b.mp4").write_bytes(b"no video")
    with pytest.raises(BadInput, match=r"b\.mp4 is not a video"):
        Clips(root)


def test_the_doctor_looks_into_clips(root):
    part, findings = take_inventory("train", "subjects", {"root": root})
    reports = ItemReports([part], limit=4)
    assert len(part) == 35
    assert findings == []
    seen = [reports[i] for i in range(4)]
    assert [report.stem for report in seen] == [
        "b/000000",
        "b/000011",
        "b/000022",
        "deep/a/000004",
    ]
    assert {f.code for f in diagnose([part], seen)} == {"full", "never 0"}  # frames are flat
    write(root / "pha" / "b.mp4", [0] * 29)
    _, (finding,) = take_inventory("train", "subjects", {"root": root})
    assert (finding.level, finding.code) == ("error", "folders")


def test_a_broken_clip_names_the_frame(root):
    clips = Clips(root)
    path = root / "fgr" / "b.mp4"
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat")
    length = int.from_bytes(whole[start - 4 : start], "big")
    whole_bytes = length * 4 // 5
    whole[start + whole_bytes : start + length - 8] = bytes(length - 8 - whole_bytes)
    path.write_bytes(whole)
    read, said = 0, []
    for index in range(30):
        try:
            clips[index]
            read += 1
        except BadInput as error:
            said.append(str(error))
    assert read
    assert said
    assert all("fgr/b.mp4" in sentence and "frame" in sentence for sentence in said)


def test_a_folder_is_opened_as_what_it_holds(root, tmp_path):
    assert isinstance(open_subjects(root, use_fgr=False), Clips)
    assert not open_subjects(root, use_fgr=False).has_fgr
    for kind, C in {"fgr": 3, "pha": 1}.items():
        write_png(tmp_path / "pictures" / kind / "a.png", torch.zeros(C, 8, 8))
    assert isinstance(open_subjects(tmp_path / "pictures"), Subjects)


def test_pictures_beside_clips_are_not_dropped(root):
    write_png(root / "fgr" / "still.png", torch.zeros(3, H, W, dtype=torch.uint8))
    with pytest.raises(BadInput, match=r"holds pictures and videos, .*still\.png and .*b\.mp4"):
        open_subjects(root)
    _, (finding,) = take_inventory("train", "subjects", {"root": root})
    assert finding.level == "error"
    assert "still.png" in finding.sentence
