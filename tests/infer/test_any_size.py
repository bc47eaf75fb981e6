import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.infer.any_size import run_any_size
from bgm.ops import clamp01, resize
from bgm.types import Coarse
from tests.infer import networks

SIZES = [(1, 1), (3, 7), (17, 5), (64, 64), (65, 130), (4, 200)]


def pair(B, H, W, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, B, 3, H, W, generator=generator)


@pytest.mark.parametrize("net", [networks.base, networks.refine])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_comes_back_at_its_size_with_its_values(net, size):
    src, bgr = pair(2, *size)
    found = run_any_size(net, src, bgr)
    assert torch.equal(found.pha, (src - bgr).abs().amax(1, keepdim=True))
    assert torch.equal(found.fgr, src * 0.5)
    for full in (found.err(), found.ref()):
        assert full.shape == (2, 1, *size)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([4, 8, 32]))
@settings(max_examples=25, deadline=None)
def test_the_network_sees_a_multiple_and_replicated_borders(H, W, multiple):
    src, bgr = pair(1, H, W)
    seen = []

    def net(src, bgr):
        seen.append(src)
        return networks.base(src, bgr)

    run_any_size(net, src, bgr, multiple=multiple, smallest=1)
    x = seen[0]
    assert [x.shape[-2] % multiple, x.shape[-1] % multiple] == [0, 0]
    assert x.shape[-2] < H + multiple
    assert torch.equal(x[..., :H, :W], src)
    assert torch.equal(x[..., H:, :W], src[..., -1:, :].expand(x[..., H:, :W].shape))
    assert torch.equal(x[..., W:], x[..., W - 1 : W].expand(x[..., W:].shape))


def test_ref_marks_whole_patches_where_the_network_refined():
    src = torch.zeros(1, 3, 70, 90)
    src[..., 8:12, 16:20] = 1  # one cell of the 4x4 grid
    found = run_any_size(networks.refine, src, torch.zeros_like(src))
    assert torch.equal(found.ref(), src[:, :1])
    assert run_any_size(networks.base, src, src).ref().sum() == 0


def test_a_base_network_at_half_size_adds_its_residual_to_the_sharp_shot():
    src, bgr = pair(1, 128, 64)
    found = run_any_size(networks.base, src, bgr, scale=0.5)
    small_src, small_bgr = resize(src, [64, 32]), resize(bgr, [64, 32])
    out = networks_output(small_src, small_bgr)
    torch.testing.assert_close(found.pha, resize(out.pha, [128, 64]))
    expected = clamp01(src + resize(out.fgr - small_src, [128, 64]))
    torch.testing.assert_close(found.fgr, expected)
    assert found.err().shape == found.pha.shape


def networks_output(src, bgr) -> Coarse:
    with torch.no_grad():
        return networks.base(src, bgr)


@pytest.mark.parametrize(
    ("src", "bgr", "scale", "says"),
    [
        (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9), 1, r"8, 8.*8, 9"),
        (torch.zeros(3, 8, 8), torch.zeros(3, 8, 8), 1, "expected"),
        (torch.zeros(1, 3, 0, 8), torch.zeros(1, 3, 0, 8), 1, "expected"),
        (torch.zeros(1, 3, 8, 8).byte(), torch.zeros(1, 3, 8, 8).byte(), 1, "uint8"),
        (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), 0, "scale 0"),
        (torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256), 0.5, "refined network"),
    ],
)
def test_what_cannot_be_matted_is_named(src, bgr, scale, says):
    with pytest.raises(ValueError, match=says):
        run_any_size(networks.refine, src, bgr, scale=scale)


def test_half_precision_and_inputs_are_left_alone():
    src, bgr = pair(1, 5, 6).half()
    before = src.clone()
    assert run_any_size(networks.refine, src, bgr).pha.dtype == torch.float16
    assert torch.equal(src, before)
