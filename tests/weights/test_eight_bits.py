"""Convolutions in 8 bits: small files, nearly the same numbers, read as any file is."""

import torch

from bgm.weights import read_weights, write_safetensors
from bgm.weights.formats import LARGE, from_eight_bits, to_eight_bits


def weights():
    torch.manual_seed(0)
    large = torch.randn(256, 220, 3, 3) * torch.logspace(-3, 1, 256)[:, None, None, None]
    large[7] = 0
    return {"aspp.weight": large.half(), "decoder.conv4.weight": torch.randn(4, 4, 3, 3)}


def test_large_convolutions_come_back_to_half_a_step_of_their_rows():
    state = weights()
    assert state["aspp.weight"].numel() >= LARGE
    packed = to_eight_bits(state)
    assert packed["aspp.weight"].dtype == torch.int8
    assert packed["decoder.conv4.weight"] is state["decoder.conv4.weight"]
    back = from_eight_bits(packed)
    assert list(back) == list(state)
    wrong = (back["aspp.weight"] - state["aspp.weight"].float()).abs().amax((1, 2, 3))
    step = state["aspp.weight"].float().abs().amax((1, 2, 3)) / 127
    assert (wrong <= 0.501 * step + 1e-12).all()


def test_files_with_them_are_read_as_all_others(tmp_path):
    packed = to_eight_bits(weights())
    network = {"_target_": "bgm.model.MattingBase"}
    write_safetensors(tmp_path / "a.safetensors", packed, network)
    assert (tmp_path / "a.safetensors").stat().st_size < 1.1 * LARGE
    found = read_weights(tmp_path / "a.safetensors").state
    for name, value in from_eight_bits(packed).items():
        assert torch.equal(found[name], value)
