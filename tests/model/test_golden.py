"""The networks reproduce the reference's outputs on weights made by formula."""

import json

import numpy as np
import pytest
import torch

from bgm.model import (
    MattingBase,
    MattingRefine,
    PatchRefiner,
    mobilenetv2,
    optimize,
    resnet50,
    resnet101,
)
from bgm.weights import from_bgmv2
from tests.plain import Plain
from tests.weights_by_formula import GOLDEN, published

CASES = json.loads((GOLDEN / "cases.json").read_text())


def plain(net):
    return Plain(net) if isinstance(net, MattingRefine) else net


KNOBS = ("backbone_scale", "mode", "sample_pixels", "threshold")


@pytest.mark.parametrize("made", [lambda net: net, optimize, plain], ids=["net", "fast", "plain"])
@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("*.npz")))
def test_equals_the_reference(name, made):
    case = CASES[name]
    state = published(case["backbone"], case["network"], case.get("kernel_size", 3))
    net = made(from_bgmv2(state, **{k: case[k] for k in KNOBS if k in case}))
    golden = np.load(GOLDEN / f"{name}.npz")
    src, bgr = (torch.from_numpy(golden[k]).float() / 255 for k in ("src", "bgr"))
    with torch.no_grad():
        out = net(src, bgr)._asdict()
    for field in set(golden) - {"src", "bgr"}:
        expected = torch.from_numpy(golden[field])
        torch.testing.assert_close(out[field][:, : expected.shape[1]], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("backbone", "count"),
    [(mobilenetv2, 5_006_839), (resnet50, 40_247_703), (resnet101, 59_239_831)],
)
def test_parameters_and_keys_are_the_published_ones(backbone, count):
    with torch.device("meta"):
        net = MattingRefine(MattingBase(backbone()), PatchRefiner())
    assert sum(p.numel() for p in net.parameters()) == count
    ours = {k.removeprefix("base."): list(v.shape) for k, v in net.state_dict().items()}
    assert ours == json.loads((GOLDEN / "state_dict_keys.json").read_text())[backbone.__name__]


def test_sizes_are_checked_and_named():
    net = MattingBase(mobilenetv2())
    with pytest.raises(ValueError, match=r"height 30 and width 32"):
        net(torch.zeros(1, 3, 30, 32), torch.zeros(1, 3, 30, 32))
    with pytest.raises(ValueError, match=r"\[1, 3, 32, 32\] and bgr \[1, 3, 32, 36\]"):
        net(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 36))
