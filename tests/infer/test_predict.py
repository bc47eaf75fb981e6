from contextlib import AbstractContextManager

import pytest
import torch

import bgm
from bgm.errors import BadInput
from bgm.infer.frame import Frame, Shot
from bgm.infer.models import Model, open_model
from bgm.infer.plate.exposure import MISMATCH
from bgm.infer.plate.fixes import AlignPlate, fix_exposure
from bgm.infer.predict import StillPlate, predict
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import pictures
from bgm.model import Sampling, optimize
from bgm.model.optimize import CoarseAtMost
from bgm.pictures import read_picture, write_png
from tests.infer import networks, scenes
from tests.networks import mobile

H, W, MARGIN = 150, 200, 40


def folder(tmp_path, shots, plate):
    for name, shot in shots.items():
        write_png(tmp_path / f"src/{name}.png", shot)
    write_png(tmp_path / "plate.png", plate)
    return pictures(tmp_path / "src", tmp_path / "plate.png")


def test_from_files_to_files(tmp_path):
    plate = scenes.tensor(scenes.scene(9, 13))
    shots = {"a/1": plate.roll(3, -1), "b": plate}
    said = []
    with torch.enable_grad():
        count = predict(
            networks.refine,
            folder(tmp_path, shots, plate),
            PictureSink(tmp_path / "out"),
            say=said.append,
        )
    assert count == 2
    for name, shot in shots.items():
        expected = (shot.int() - plate.int()).abs().amax(0, keepdim=True).byte()
        assert torch.equal(read_picture(tmp_path / f"out/pha/{name}.png", "L"), expected)


def test_a_plate_of_another_scene_is_warned_of_with_the_number(tmp_path):
    frames = folder(
        tmp_path,
        {"a": torch.full((3, 8, 8), 250, dtype=torch.uint8)},
        torch.zeros(3, 8, 8, dtype=torch.uint8),
    )
    said = []
    predict(networks.base, frames, PictureSink(tmp_path / "out"), say=said.append)
    assert len(said) == 1
    assert "a: warning" in said[0]
    assert "0.98" in said[0]
    assert str(MISMATCH) in said[0]


def test_the_plate_is_moved_and_exposed_before_the_network_sees_it(tmp_path):
    big = (scenes.scene(H + 2 * MARGIN, W + 2 * MARGIN) * 0.7 + 25).astype("uint8")
    plate, shot = scenes.moved_view(big, scenes.turn(H, W, px=(9.0, 4.0)), MARGIN)
    dark = (plate.float() * 0.8).byte()
    said, seen = [], []

    def net(src, bgr):
        seen.append((src - bgr)[..., :H, :W].abs().mean().item())
        return networks.base(src, bgr)

    frames = folder(tmp_path, {"a": shot}, dark)
    for fixes in ([], [AlignPlate(), fix_exposure]):
        predict(net, frames, PictureSink(tmp_path / "out"), fixes=fixes, say=said.append)
    assert seen[1] < 0.015 < 0.1 < seen[0]
    assert "9.8 px" in said[-2]
    assert "gain 1.2" in said[-1]


def test_a_videos_plate_is_aligned_once():
    big = scenes.scene(H + 2 * MARGIN, W + 2 * MARGIN)
    plate, shot = scenes.moved_view(big, scenes.turn(H, W, px=(9.0, 4.0)), MARGIN)
    step = AlignPlate()
    black = torch.zeros_like(shot)
    first, _ = step(Frame("clip", Shot(shot), Shot(plate), time=0))
    later, _ = step(Frame("clip", Shot(black), Shot(plate), time=1))
    assert torch.equal(first.stored[:, 6:, 11:], later.stored[:, 6:, 11:])


def test_an_error_of_the_network_ends_the_sink_and_the_reader(tmp_path):
    ended = []

    class Sink:
        def __enter__(self):
            return self

        def __exit__(self, kind, *_):
            ended.append(kind)

        def write(self, frame, found):
            pass

    def net(src, bgr):
        raise RuntimeError("out of memory")

    frames = folder(tmp_path, {"a": torch.zeros(3, 4, 4)}, torch.zeros(3, 4, 4))
    with pytest.raises(RuntimeError, match="out of memory"):
        predict(net, frames, Sink())
    assert ended == [RuntimeError]


def test_frames_that_share_a_plate_get_the_picture_of_each_alone():
    net = optimize(mobile(Sampling()))
    still = StillPlate(CoarseAtMost(net, 16))
    shots, plates = torch.rand(5, 1, 3, 64, 96), torch.rand(2, 1, 3, 64, 96)
    for src, bgr in zip(shots, [plates[0], *[plates[1]] * 3, plates[0]], strict=True):
        expected = net.at_scale(1 / 6)(src, bgr)
        for a, b in zip(still(src, bgr), expected, strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


def test_two_frames_at_once_are_those_of_one_after_the_other():
    net = CoarseAtMost(optimize(mobile(Sampling())), 16)
    shots, plates = torch.rand(9, 3, 64, 96), [Shot(x) for x in torch.rand(2, 3, 64, 96)]
    frames = [Frame(f"{i}", Shot(shot), plates[i // 3 % 2]) for i, shot in enumerate(shots)]
    written = {at_once: Kept() for at_once in (1, 2)}
    for at_once, sink in written.items():
        assert predict(net, frames, sink, say=lambda _: None, at_once=at_once) == 9
    assert written[1].names == written[2].names == [frame.name for frame in frames]
    for a, b in zip(written[1].alphas, written[2].alphas, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


class Kept(AbstractContextManager):
    def __init__(self):
        self.names, self.alphas = [], []

    def __exit__(self, *error):
        pass

    def write(self, frame, matte):
        self.names.append(frame.name)
        self.alphas.append(matte.pha)


@pytest.mark.parametrize(
    ("change", "left", "frames"),
    [({}, None, 2), ({}, 9, 2), ({}, 1, 1), ({}, 0, 1), ({"compiled": True}, 9, 1),
     ({"net": torch.add}, 9, 1), ({"device": torch.device("meta")}, 9, 1)],
)  # fmt: skip
def test_how_many_frames_are_computed_at_once(monkeypatch, change, left, frames):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    model = Model(mobile(Sampling()), torch.device("cpu"), 1.0)._replace(**change)
    assert model.frames_at_once(2, left) == frames
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert model.frames_at_once(2, left) == 1


@pytest.mark.parametrize(
    ("precision", "said"),
    [("float16", "precision=float16 is for GPUs"), ("half", "half is none of float32, bfloat16")],
)
def test_a_precision_that_a_cpu_has_not_is_refused(precision, said):
    with pytest.raises(BadInput, match=said):
        open_model("mobilenetv2", device="cpu", precision=precision)


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"compile": True}])
def test_what_only_an_optimized_network_can_do_is_not_ignored(option, tmp_path):
    with pytest.raises(BadInput, match=r"for optimize=true, found optimize=false"):
        open_model("mobilenetv2", device="cpu", optimize=False, **option)
    with pytest.raises(BadInput, match=r"a\.onnx was exported with its own"):
        open_model(tmp_path / "a.onnx", device="cpu", **option)
    more = {"dtype": torch.bfloat16} if "precision" in option else option
    with pytest.raises(BadInput, match="expected optimize=True"):
        bgm.load("mobilenetv2", **more)
