"""The certificate: what it holds, and each defect of the past put back, to be refused."""

import errno
import json
import os
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align

from bgm.errors import BadInput
from bgm.export import CertifyOptions, Exported, export_and_certify
from bgm.export.target import Runtimes
from bgm.export.tolerances import PRECISIONS, Tolerance
from bgm.model import (
    GatherCrop,
    MattingBase,
    PatchRefiner,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    Thresholding,
)
from bgm.model.patches import Patches
from bgm.ops import resize
from tests.export.copies import Copies
from tests.networks import TinyEncoder, refined, tiny
from tests.weights_by_formula import fill

BRIEF = CertifyOptions("brief")


@pytest.fixture(scope="module")
def net():
    return tiny()


def names(folder):
    return sorted(x.name for x in folder.iterdir())


class OnePicture:
    """A matting set of one black picture: MAD is the mean of alpha."""

    name = "1 black picture"

    def __call__(self, run):
        return {"mad": 1e3 * run(*(torch.zeros(1, 3, 64, 64),) * 2).pha.mean().item(), "sad": 1.0}


def test_it_holds_what_one_needs_to_trust_a_file(net, tmp_path):
    out = tmp_path / "net, (1).copy"
    target = Copies(crop=GatherCrop(), replace=ScatterElementReplace())
    about = {"checkpoint": "a.ckpt", "checkpoint_sha256": "abc"}
    options = CertifyOptions("brief", OnePicture())
    certificate = export_and_certify(target, net, out, about, options)
    assert names(tmp_path) == [
        out.name,
        f"{out.name}.certificate.json",
        f"{out.name}.certificate.md",
    ]
    facts = json.loads((tmp_path / f"{out.name}.certificate.json").read_text())
    assert facts == json.loads(json.dumps(certificate.facts))
    assert facts["metadata"]["checkpoint_sha256"] == "abc"
    assert facts["metadata"]["crop"] == "GatherCrop"
    assert (facts["metadata"]["precision"], facts["metadata"]["shape"]) == ("float32", "dynamic")
    assert facts["files"][0]["bytes"] == out.stat().st_size
    assert len(facts["files"][0]["sha256"]) == 64
    assert facts["environment"]["packages"]["torch"] == torch.__version__.split("+")[0]
    assert facts["limits"] == PRECISIONS["float32"]._asdict()
    assert {x["pictures"] for x in facts["comparisons"]} == {
        "random",
        "smooth",
        "no error",
        "all error",
        "error in the last",
    }
    assert all(
        facts["coverage"][f"pictures with {n} patch{'' if n == 'no' else 'es'} refined"]
        for n in ("no", "some")
    )
    assert facts["operators"] == {"Conv": 8, "If": 1}
    assert (
        facts["time"]["ratio"] == facts["time"]["file_seconds"] / facts["time"]["network_seconds"]
    )
    assert facts["matting"]["difference"]["mad"] == pytest.approx(0, abs=1e-3)
    text = (tmp_path / f"{out.name}.certificate.md").read_text()
    for part in (
        "certified",
        "float32",
        "no error",
        "1 black picture",
        "Conv 8",
        "a.ckpt",
        "ratio",
    ):
        assert part in text
    assert len(text.splitlines()) < 60


def test_a_base_network_has_a_certificate_without_a_refiner(tmp_path):
    net = fill(MattingBase(TinyEncoder()))
    certificate = export_and_certify(Copies(), net, tmp_path / "b.copy", options=BRIEF)
    assert certificate.facts["coverage"] == {}
    assert {t.pictures for t in certificate.report.comparisons} == {"random", "smooth"}


def test_a_file_of_one_shape_is_tried_in_that_shape(net, tmp_path):
    certificate = export_and_certify(Copies(shape=[2, 64, 96]), net, tmp_path / "n.copy")
    assert {(t.batch, t.height, t.width) for t in certificate.report.comparisons} == {(2, 64, 96)}
    assert len({t.pictures for t in certificate.report.comparisons}) == 5
    assert certificate.facts["time"]["shape"] == [2, 64, 96]


def check_refused(target, net, folder, match, options=BRIEF):
    """The export fails with a sentence, and nothing is left: no model, no certificate, no rest."""
    with pytest.raises(BadInput, match=match):
        export_and_certify(target, net, folder / "n.copy", options=options)
    assert names(folder) == []


class FirstPictureCrop(GatherCrop):
    """The reference's index: b * H * W where b * C * H * W is needed."""

    def forward(self, x, index, size, pad):
        x = F.pad(x, [pad, pad, pad, pad])
        C, H, W = x.shape[1:]
        offset, c = torch.arange(size + 2 * pad), torch.arange(C).view(1, C, 1, 1)
        row = (index[:, 1:2] * size + offset).view(len(index), 1, -1, 1)
        column = (index[:, 2:3] * size + offset).view(len(index), 1, 1, -1)
        b = index[:, 0].view(-1, 1, 1, 1)
        return x.flatten()[b * H * W + c * H * W + row * W + column]


def test_the_references_index_is_refused_at_batch_2(net, tmp_path):
    check_refused(Copies(crop=FirstPictureCrop()), net, tmp_path, r"pha is off by .* at batch 2")


class HalfBoxes(RoiAlignCrop):
    """Boxes in float16, half a pixel off beyond x = 1024."""

    def forward(self, x, index, size, pad):
        x, window = F.pad(x, [pad, pad, pad, pad]), size + 2 * pad
        corner = index[:, [2, 1]].half() * size - 0.5
        boxes = torch.cat([index[:, :1].half(), corner, corner + window], dim=1).float()
        return roi_align(x.float(), boxes, [window, window], 1.0, 1, False).to(x.dtype)


def test_boxes_in_float16_are_refused(net, tmp_path):
    check_refused(Copies(crop=HalfBoxes()), net, tmp_path, r"off by .* 1056x80")


@pytest.mark.slow  # half precision is slow on a CPU
def test_boxes_in_float16_are_refused_even_in_a_float16_file(net, tmp_path):
    strip = {"precision": "float16", "shape": [1, 64, 2048]}
    export_and_certify(Copies(crop=RoiAlignCrop(), **strip), net, tmp_path / "good" / "n.copy")
    (tmp_path / "bad").mkdir()
    check_refused(Copies(crop=HalfBoxes(), **strip), net, tmp_path / "bad", r"off by .* 2048x64")


class BranchingRefiner(PatchRefiner):
    """The reference's `if number of patches > 0`, of which a tracer keeps one side."""

    def forward(self, src, bgr, pha, fgr, err, hid):
        patches = self.select(resize(err, [src.shape[2] // 4, src.shape[3] // 4]))
        if patches.index.shape[0] > 0:
            return super().forward(src, bgr, pha, fgr, err, hid)
        x = resize(torch.cat([pha, fgr], 1), list(src.shape[2:]))
        return x[:, :1], x[:, 1:4], patches.ref


def open_traced(path, device="cpu"):
    net = torch.jit.load(str(path))
    return Exported(net, {"kind": "refined"})


class Traced(Copies):
    """A file that was traced on black pictures."""

    runtimes: ClassVar[Runtimes] = {"eager": open_traced}

    def write(self, net, path, metadata):
        example = (torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64))
        torch.jit.trace(net, example, check_trace=False).save(str(path))


@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_a_refiner_that_was_traced_away_is_refused(tmp_path):
    net = refined(TinyEncoder(), Thresholding(0.1))
    branching = BranchingRefiner(select=Thresholding(0.1))
    branching.load_state_dict(net.refiner.state_dict())
    net.refiner = branching
    with torch.no_grad():
        net.base.decoder.conv4.bias[4] -= net(*(torch.zeros(1, 3, 64, 64),) * 2).err_sm.max()
        assert net(*(torch.zeros(1, 3, 64, 64),) * 2).ref_sm.sum() == 0
    # The network finds no error in any plain picture: only a steered error tells.
    check_refused(Traced(), net, tmp_path, r"pha is off by .* all error pictures")


def test_a_threshold_that_nothing_reaches_is_refused(tmp_path):
    check_refused(Copies(select=Thresholding(2.0)), tiny(), tmp_path, "no patch was refined")


class AsManyAsAsked(Sampling):
    """k patches, whether the picture has them or not."""

    def forward(self, err):
        err.flatten(1).topk(self.sample_pixels // 16, dim=1)
        return super().forward(err)


def test_k_above_the_number_of_patches_is_tried(net, tmp_path):
    class Careless(Copies):
        def prepare(self, truth):
            prepared = super().prepare(truth)
            prepared.refiner.select = AsManyAsAsked(16 * 1000)
            return prepared

    target = Careless(select=Sampling(16 * 1000))
    check_refused(target, net, tmp_path, r"fails at batch 1, 132x68, random pictures: .*k")


class KeepsAll(Sampling):
    """Writes what it refined even where err is 0."""

    def forward(self, err):
        patches = super().forward(err)
        return Patches(patches.index, torch.ones_like(patches.keep), patches.ref)


class Careless(Copies):
    def prepare(self, truth):
        prepared = super().prepare(truth)
        prepared.refiner.select = KeepsAll(800)
        return prepared


def test_refining_without_error_is_refused(net, tmp_path):
    """On plain pictures this network always finds some error: only a steered error tells."""
    check_refused(Careless(), net, tmp_path, "off by .* no error pictures")


def test_a_worse_matte_is_refused(net, tmp_path):
    target = Copies()
    target.tolerance, target.off = Tolerance(1.0, 1.0, 1.0, 0.0, 0.01), 0.02
    options = CertifyOptions("brief", OnePicture())
    check_refused(target, net, tmp_path, r"mattes worse .* on 1 black picture.* 1% more", options)


def test_unsupported_operators_are_refused(net, tmp_path):
    class Strict(Copies):
        unsupported_ops = frozenset({"If", "NonZero"})

    check_refused(Strict(), net, tmp_path, "copy does not support If, which the file contains")


@pytest.mark.parametrize("at", ["model", "certificate"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(net, tmp_path, monkeypatch, at):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place = (Copies, "write") if at == "model" else ("pathlib.Path.write_text",)
    monkeypatch.setattr(*place, full)
    check_refused(Copies(), net, tmp_path, r"cannot write .*n\.copy \(No space left on device\)")


def test_an_older_certificate_survives_a_failed_export(net, tmp_path):
    out = tmp_path / "n.copy"
    export_and_certify(Copies(), net, out, options=BRIEF)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    worse = Copies()
    worse.off = 2e-4
    with pytest.raises(BadInput, match=r"pha is off by 2\.0e-04"):
        export_and_certify(worse, net, out, options=BRIEF)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_an_unknown_grid_names_the_known_ones(net, tmp_path):
    check_refused(
        Copies(),
        net,
        tmp_path,
        "grid 'large' is unknown, expected one of default",
        CertifyOptions("large"),
    )
