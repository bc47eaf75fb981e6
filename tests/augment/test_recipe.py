"""The laws of the augmentation: replay, independence of the batch, identity, ranges, statistics."""

from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from bgm.augment import (
    Affine,
    Augment,
    Blur,
    CastShadow,
    ColourJitter,
    ContactShadow,
    ExposureJitter,
    Fringe,
    Jpeg,
    Noise,
    Parallax,
    Reflection,
    Shadow,
    Sharpen,
    SoftOutline,
    Spill,
)
from bgm.augment.recipe import KINDS
from bgm.errors import BadInput
from bgm.ops import composite
from bgm.types import Batch, Sample

CONF = Path(__file__).parents[2] / "conf"
PARTS = ("plate", "captures")  # ingredients of other recipes
CONFIGS = sorted(p.stem for p in (CONF / "augment").glob("*.yaml") if p.stem not in PARTS)
S = 48
INGREDIENTS = {
    "fgr_affine": Affine(1.0, 5.0, 0.1, (0.4, 1.0), 5.0, flip=0.5),
    "bgr_affine": Affine(1.0, 5.0, 0.1, (1.0, 2.0), 5.0, flip=0.5),
    "blur": Blur(0.5, 20.0),
    "sharpen": Sharpen(0.5),
    "jitter": ColourJitter(0.5, 0.15, 0.15, 0.15, 0.05),
    "shadow": Shadow(0.5, 0.3, (20.0, 40.0), Affine(0.0, 5.0, 0.2, (0.5, 1.5), 5.0)),
    "noise": Noise(0.5, 0.03),
    "plate_jitter": ColourJitter(0.5, 0.18, 0.18, 0.18, 0.1),
    "plate_affine": Affine(0.5, 1.0, 0.01),
    "plate_shift": Affine(0.5, translate=0.01),
    "plate_exposure": ExposureJitter(0.5, 1.2, 1.2),
    "plate_blur": Blur(0.5, 20.0),
    "jpeg": Jpeg(0.5),
    "spill": Spill(0.5),
    "reflection": Reflection(0.5),
    "contact": ContactShadow(0.5),
    "cast": CastShadow(0.5),
    "plate_parallax": Parallax(0.5, 0.05),
    "outline": SoftOutline(0.5, (20.0, 80.0)),
    "fringe": Fringe(0.5),
}
LIGHT = {"reflection": Reflection(), "contact": ContactShadow(), "cast": CastShadow()}


def make(draws: list[int], size: tuple[int, int] = (S, S), bgr: int = S, uint8=False) -> Sample:
    """Subjects and backgrounds that depend on the draw number alone."""
    fields = []
    for draw in draws:
        g = torch.Generator().manual_seed(draw)
        y, x = (torch.linspace(-1, 1, n) for n in size)
        disc = ((0.7 - (x[None] ** 2 + y[:, None] ** 2).sqrt()) * 5).clamp(0, 1)[None]
        fgr = torch.rand(3, *size, generator=g)
        fields.append((disc, fgr, torch.rand(3, bgr, bgr, generator=g)))
    pha, fgr, back = (torch.stack(part) for part in zip(*fields, strict=True))
    if uint8:
        pha, fgr, back = ((part * 255).to(torch.uint8) for part in (pha, fgr, back))
    return Sample(pha, fgr, back, torch.tensor([d % 2 == 0 for d in draws]), torch.tensor(draws))


def all_on(crop: tuple[int, int] = (32, 44), **changed) -> Augment:
    return Augment(S, crop, seed=3, **(INGREDIENTS | changed))


def same(a: Batch, b: Batch, atol: float = 0.0) -> None:
    for name, x, y in zip(Batch._fields, a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("uint8", [False, True])
def test_everything_off_is_the_identity(uint8: bool):
    sample = make([0, 1], uint8=uint8)
    batch = Augment(S)(sample)
    scale = 255 if uint8 else 1
    assert torch.equal(batch.pha, sample.pha / scale)
    assert torch.equal(batch.fgr, sample.fgr / scale)
    assert torch.equal(batch.bgr, sample.bgr / scale)
    assert torch.equal(batch.src, composite(batch.fgr, batch.pha, batch.bgr))
    assert torch.equal(batch.has_fgr, sample.has_fgr)


def test_replays_to_the_bit_and_leaves_its_input():
    augment, sample = all_on(), make(list(range(6)))
    before = Sample(*(field.clone() for field in sample))
    params = augment.draw(sample.draw)
    state = torch.get_rng_state()
    first, second = augment.replay(sample, params), augment.replay(sample, params)
    same(first, second)
    same(first, augment(sample))
    assert torch.equal(state, torch.get_rng_state())
    for old, new in zip(before, sample, strict=True):
        assert torch.equal(old, new)


def test_a_sample_does_not_depend_on_its_batch():
    augment = all_on((32, 32))
    whole = augment(make([4, 5, 6, 7, 8]))
    for i, draw in enumerate([4, 5, 6, 7, 8]):
        same(augment(make([draw])), Batch(*(f[i : i + 1] for f in whole)), atol=2e-6)


@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_what_is_worked_on_at_once_changes_nothing(pictures, monkeypatch: pytest.MonkeyPatch):
    augment, sample = all_on((32, 44)), make([4, 5, 6, 7, 8], size=(60, 52), bgr=70)
    whole = augment(sample)
    monkeypatch.setattr("bgm.augment.recipe.CHUNK", pictures * S * S)
    same(augment(sample), whole, atol=2e-6)


def test_ranges_shapes_and_types():
    sample = make(list(range(8)), size=(60, 52), bgr=70, uint8=True)
    batch = all_on()(sample)
    H, W = batch.src.shape[-2:]
    assert (H % 4, W % 4) == (0, 0)
    assert 32 <= min(H, W) <= max(H, W) <= 44
    for name in ("src", "bgr", "pha", "fgr"):
        x = getattr(batch, name)
        assert x.shape == (8, 1 if name == "pha" else 3, H, W)
        assert x.dtype == torch.float32
        assert x.min() >= 0
        assert x.max() <= 1
    assert batch.pha.max() > 0.9


def test_float32_under_autocast():
    augment, sample = all_on(), make([0, 1, 2])
    plain = augment(sample)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same(plain, augment(sample))


def test_src_is_the_composite_without_shadow_noise_and_compression():
    batch = all_on(shadow=Shadow(), noise=Noise(), jpeg=Jpeg(), plate_jitter=ColourJitter(),
                   plate_affine=Affine(), plate_shift=Affine(), plate_exposure=ExposureJitter(),
                   plate_blur=Blur(), plate_parallax=Parallax(),
                   **LIGHT)(make(list(range(5))))  # fmt: skip
    assert torch.equal(batch.src, composite(batch.fgr, batch.pha, batch.bgr))


@pytest.mark.parametrize("name", sorted(INGREDIENTS))
def test_each_ingredient_changes_the_drawn_samples_and_no_other(name: str):
    """One ingredient alone, p = 1/2: rows drawn differ from the identity, others are its bits."""
    sample = make(list(range(10)), bgr=S)
    augment = Augment(S, seed=3, **{name: INGREDIENTS[name]})
    params = augment.draw(sample.draw)
    got, want = augment.replay(sample, params), Augment(S)(sample)
    drawn = torch.ones(10, dtype=torch.bool)
    if name in ("fgr_affine", "bgr_affine"):
        assert params.drawn[name]["on"].all()
    else:
        drawn = torch.stack([draw["on"] for draw in params.drawn.values()]).any(0)
        assert 0 < drawn.sum() < 10
    changed = torch.zeros(10, dtype=torch.bool)
    for x, y in zip(got[:4], want[:4], strict=True):
        changed |= (x != y).flatten(1).any(1)
    assert torch.equal(changed, drawn)


def test_p_zero_is_absence():
    off = {n: type(i)(**{**vars(i), "p": 0.0}) for n, i in INGREDIENTS.items()}
    for name in ("fgr_affine", "bgr_affine"):
        off[name] = Affine(0.0, 5.0, 0.1, (0.4, 1.0), 5.0)
    sample = make([0, 1, 2])
    same(Augment(S, seed=3, **off)(sample), Augment(S)(sample))


def test_shadow_darkens_the_shot_only_and_near_the_subject():
    sample = make([0, 1, 2, 3])
    sample = sample._replace(bgr=torch.full_like(sample.bgr, 0.8))
    augment = Augment(S, shadow=Shadow(1.0, 0.3, (20.0, 40.0), Affine(translate=0.5)))
    batch = augment(sample)
    assert torch.equal(batch.bgr, sample.bgr)
    darker = 0.8 - (batch.src - batch.fgr * batch.pha)[:, 0][batch.pha[:, 0] == 0]
    assert darker.min() >= -1e-6
    assert 0.01 < darker.max() <= 0.3


def test_a_subject_fills_the_same_part_whatever_the_delivered_size():
    """One geometry at 48 and at 36 (enlarged until it covers): the smaller has less detail only."""

    def area(n: int) -> torch.Tensor:
        affine = Affine(1.0, 5.0, 0.1, (0.4, 1.0), 5.0)
        return Augment(S, fgr_affine=affine)(make([0, 1, 2], size=(n, n))).pha.mean((1, 2, 3))

    torch.testing.assert_close(area(36), area(48), rtol=0.08, atol=0)


def test_bad_input_is_named():
    with pytest.raises(BadInput, match="60-70"):
        Augment(64, (60, 70))
    with pytest.raises(BadInput, match="expected a probability from 0 to 1"):
        Augment(S, exact=1.5)
    augment = Augment(S)
    with pytest.raises(BadInput, match="3 samples and parameters for 2"):
        augment.replay(make([0, 1, 2]), augment.draw(torch.tensor([0, 1])))
    with pytest.raises(BadInput, match="height or width"):
        augment(make([0, 1])._replace(pha=torch.zeros(2, 1, 9, 9)))
    with pytest.raises(BadInput, match="scale"):
        Affine(scale=(0.0, 1.0))
    with pytest.raises(BadInput, match="augment has no glow, but fgr_affine, "):
        Augment(S, glow=Noise())


def test_one_size_needs_no_brackets():
    assert Augment(64, 48).setting == Augment(64, (48, 48)).setting
    assert Augment(64, crops=48).crops == Augment(64, crops=[48]).crops


def bad_numbers():
    """Every field of every ingredient with numbers that it cannot have."""
    for kind in sorted(set(KINDS.values()), key=lambda kind: kind.__name__):
        for field in fields(kind):
            if isinstance(field.default, tuple):
                yield from ((kind, field.name, bad) for bad in (0.5, (2.0, 1.0), (-1.0, 1.0)))
            elif isinstance(field.default, float):
                yield from ((kind, field.name, bad) for bad in (-1.0, (0.0, 1.0), "often"))
            if field.name in ("p", *kind.SHARES):
                yield kind, field.name, (0.0, 2.0) if isinstance(field.default, tuple) else 2.0


@pytest.mark.parametrize(("kind", "name", "bad"), bad_numbers())
def test_numbers_that_no_ingredient_can_have_are_refused(kind, name, bad):
    with pytest.raises(BadInput, match=f"{kind.__name__} has {name} .*expected"):
        kind(**{name: bad})


def test_exposures_and_qualities_that_are_none_are_refused():
    with pytest.raises(BadInput, match=r"gain 0\.0, gamma 1\.0, expected above 0"):
        ExposureJitter(gain=0.0)
    with pytest.raises(BadInput, match="expected a range in 1 to 100"):
        Jpeg(quality=(50.0, 200.0))


def test_no_parameter_stays_on_the_host(monkeypatch: pytest.MonkeyPatch):
    """The meta device refuses tensors of another device, as CUDA does."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    unable = {"noise": Noise(), "jpeg": Jpeg()}  # meta has no generator and no values to check
    on = {n: type(i)(**{**vars(i), "p": 1.0}) for n, i in INGREDIENTS.items()}
    sample = Sample(*(field.to("meta") for field in make([0, 1])))
    for augment in (all_on(**on | unable), all_on(**unable)):
        batch = augment.replay(sample, augment.draw(torch.arange(2)))
        assert batch.src.device.type == "meta"


def recipe(name: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [f"augment={name}"]).augment


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_build_and_run_small(name: str):
    config = recipe(name)
    full = instantiate(config)
    assert isinstance(full, Augment)
    ratio = full.size / S
    small = instantiate(config, size=S, crop=[int(c / ratio) for c in full.crop])
    batch = small(make([0, 1]))
    assert batch.src.shape[-1] % 4 == 0
    assert torch.isfinite(batch.src).all()


def test_the_presets_differ_where_the_paper_and_the_code_do():
    for stage in ("base", "refine"):
        paper, released = (recipe(f"{stage}_{kind}") for kind in ("paper", "released"))
        assert (paper.plate_jitter.p, released.plate_jitter.p) == (0.3, 0.8)
        assert {k for k in paper if paper[k] != released[k]} == {"plate_jitter", "noise"}
    assert len(CONFIGS) >= 9


def test_parallax_moves_the_plate_by_nearness_along_one_line():
    ramp = torch.linspace(0, 1, S).expand(1, 1, S, S)
    nearness = torch.linspace(-1, 1, 4).expand(1, 4, 4)  # from left to right
    draw = {"on": torch.tensor([True]), "shift": torch.tensor([[0.1, 0.0]]), "nearness": nearness}
    moved = Parallax().apply(ramp, draw)[0, 0] - ramp[0, 0]
    inner = moved[:, 8:-8]
    torch.testing.assert_close(inner, inner[:1].expand_as(inner), atol=1e-6, rtol=0)
    assert (inner.diff(dim=1) > 0).all()
    expected = 0.1 * S / (S - 1) * torch.linspace(-1, 1, S)[8:-8]
    torch.testing.assert_close(inner[0], expected, atol=0.01, rtol=0)
    upright = ramp.transpose(2, 3)
    torch.testing.assert_close(Parallax().apply(upright, draw), upright, atol=1e-6, rtol=0)


def test_the_shot_of_an_exact_pair_is_the_composite_over_its_plate():
    augment = Augment(S, **INGREDIENTS, exact=0.5)
    draws = list(range(40))
    drawn = augment.draw(torch.tensor(draws))
    batch = augment.replay(make(draws), drawn)
    over_plate = composite(batch.fgr, batch.pha, batch.bgr)
    alike = (over_plate - batch.src).abs().amax((1, 2, 3)) < 1e-6
    assert 10 < alike.sum() < 30
    others = Augment(S, **INGREDIENTS).draw(torch.tensor(draws))
    for name, draw in drawn.drawn.items():  # and nothing else differs from a recipe without them
        for key, value in draw.items():
            kept = torch.ones(len(draws), dtype=torch.bool) if key != "on" else ~alike
            assert torch.equal(value[kept], others.drawn[name][key][kept])
