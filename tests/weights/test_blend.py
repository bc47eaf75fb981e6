"""Blending: ends, middle, what is taken from which network, and what cannot be blended."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from bgm.cli import blend, release
from bgm.cli.blend import other_selection
from bgm.errors import BadInput
from bgm.weights.formats import Stored
from bgm.weights.initialise import blend_weights


def stored(state: dict[str, list[float]], count: int = 0) -> Stored:
    tensors = {name: torch.tensor(values) for name, values in state.items()}
    return Stored("bgm", tensors | {"bn.num_batches_tracked": torch.tensor(count)}, {}, {})


def refined(base: dict[str, list[float]], count: int = 0) -> Stored:
    plain = stored(base, count)
    state = {f"base.{name}": value for name, value in plain.state.items()}
    return Stored("bgm", state | {"refiner.conv.weight": torch.tensor([7.0])}, {}, {})


@settings(deadline=None, max_examples=20)
@given(share=st.floats(0, 1, width=32))
def test_weights_lie_on_the_line_between(share):
    before, after = stored({"conv.weight": [1.0, -2.0]}, 5), stored({"conv.weight": [3.0, 2.0]}, 9)
    found = blend_weights(before, after, share)
    expected = torch.tensor([1 + 2 * share, -2 + 4 * share])
    torch.testing.assert_close(found["conv.weight"], expected)
    assert found["bn.num_batches_tracked"] == 9


def test_both_ends_are_exact_and_half_precision_becomes_float32():
    before = Stored("bgm", {"w": torch.tensor([0.1, 3.0]).half()}, {}, {})
    after = Stored("bgm", {"w": torch.tensor([0.7, -1.3])}, {}, {})
    assert torch.equal(blend_weights(before, after, 0)["w"], before.state["w"].float())
    assert torch.equal(blend_weights(before, after, 1)["w"], after.state["w"])


def test_a_base_network_is_blended_into_a_refined_one_whose_refiner_stays():
    found = blend_weights(stored({"w": [0.0]}), refined({"w": [2.0]}), 0.5)
    assert found["base.w"] == 1
    assert found["refiner.conv.weight"] == 7


@pytest.mark.parametrize(
    ("before", "after", "share", "said"),
    [
        (stored({"w": [0.0]}), stored({"w": [0.0]}), 1.5, "share is 1.5, expected 0"),
        (stored({"w": [0.0, 1.0]}), stored({"w": [0.0]}), 0.5, "1 of another shape: w"),
        (stored({"v": [0.0]}), stored({"w": [0.0]}), 0.5, "1 missing: w .*1 left over: v"),
        (stored({"w": [0.0]}), stored({"w": [0.0], "u": [1.0]}), 0.5, "1 missing: u"),
    ],
)
def test_what_cannot_be_blended(before, after, share, said):
    with pytest.raises(BadInput, match=said):
        blend_weights(before, after, share)


def test_each_part_has_its_own_share():
    names = ("base.backbone.w", "base.decoder.w", "refiner.conv.w")
    before, after = (
        Stored("bgm", {name: torch.tensor(x) for name in names}, {}, {}) for x in (0.0, 10.0)
    )
    tree = {"base": {"backbone": 0.3, "decoder": 0.5}, "refiner": 1}
    assert [round(x.item(), 5) for x in blend_weights(before, after, tree).values()] == [3, 5, 10]
    for share, said in (
        ({"base": 0.5}, r"share has none for refiner of refiner\.conv\.w"),
        ({"base": 2, "refiner": 1}, "share is 2, expected 0"),
        (
            {"base": {"backbone": 1, "decodr": 1}, "refiner": 1},
            r"share names base\.decodr, ",
        ),
        ({"base": 1, "refiner": {"conv": {"w": {"x": 1}}}}, r"share names refiner\.conv\.w\.x"),
    ):
        with pytest.raises(BadInput, match=said):
            blend_weights(before, after, share)


def test_networks_that_refine_unlike_numbers_of_pixels_are_told_apart():
    few, many = (
        {"refiner": {"select": {"_target_": "bgm.model.Sampling", "sample_pixels": count}}}
        for count in (30_000, 80_000)
    )
    said = other_selection(many, few)
    assert "settings of after (sample_pixels=30000), before has others" in said
    trained = {"refiner": {"select": many["refiner"]["select"] | {"training_pixels": 30000}}}
    assert other_selection(many, trained) == ""
    assert other_selection(few, few) == other_selection({}, few) == ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (blend.main, {"before": "b.safetensors", "after": "a.safetensors"}),
        (blend.main, {"before": "a.safetensors", "after": "b.safetensors"}),
        (release.main, {"ckpt": "a.safetensors", "before": []}),
        (release.main, {"ckpt": "b.safetensors", "before": ["a.safetensors"]}),
    ],
)
def test_no_checkpoint_is_written_over_by_what_is_made_of_it(command, words):
    with pytest.raises(BadInput, match=r"would take the place of \w+=a\.safetensors"):
        command(OmegaConf.create(words | {"out": "a.safetensors", "scenes": 24}))
