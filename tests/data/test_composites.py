"""Folders of subjects and backgrounds, and the Samples made of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bgm.data.composites import Composites, collate
from bgm.data.folders import Backgrounds, Subjects
from bgm.errors import BadInput
from bgm.types import Sample


def save(path, mode="RGB", size=(24, 16), colour=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour or {"RGB": (200, 40, 60), "L": 255}.get(mode, 0)).save(path)


@pytest.fixture
def root(tmp_path):
    for stem, fgr, pha in (
        ("a", ".JPG", ".png"),
        ("clip 7/b", ".jpeg", ".JPG"),
        ("c", ".webp", ".PNG"),
    ):
        save(tmp_path / "fgr" / f"{stem}{fgr}")
        save(tmp_path / "pha" / f"{stem}{pha}", "L")
    for index in range(5):
        save(tmp_path / "bgr" / f"{index}.png", size=(30, 20), colour=(index, 0, 0))
    return tmp_path


def test_pairs_by_stem_at_any_depth(root):
    subjects = Subjects(root)
    assert subjects.stems == ["a", "c", "clip 7/b"]
    pha, fgr = subjects[2]
    assert pha.shape == (1, 16, 24)
    assert fgr.shape == (3, 16, 24)
    assert pha.dtype == fgr.dtype == torch.uint8
    assert torch.equal(Subjects(fgr=root / "fgr", pha=root / "pha")[0][1], subjects[0][1])
    assert subjects.has_fgr
    assert not Subjects(root, use_fgr=False).has_fgr


def test_rgba_folders_are_told_by_the_missing_pha(tmp_path):
    save(tmp_path / "deep" / "x.png", "RGBA", colour=(1, 2, 3, 77))
    pha, fgr = Subjects(tmp_path)[0]
    assert torch.equal(pha, torch.full((1, 16, 24), 77, dtype=torch.uint8))
    assert fgr[:, 0, 0].tolist() == [1, 2, 3]
    save(tmp_path / "deep" / "y.png")
    for folders in ({"root": tmp_path}, {"rgba": tmp_path}):
        with pytest.raises(BadInput, match=r"y\.png has no alpha channel \(mode RGB\)"):
            Subjects(**folders)


def test_what_is_wrong_is_found_at_construction(root):
    save(root / "pha" / "a.png", "L", size=(25, 16))
    with pytest.raises(BadInput, match=r"a\.JPG is 24x16 .*a\.png is 25x16"):
        Subjects(root)
    (root / "pha" / "a.png").unlink()
    with pytest.raises(BadInput, match=r"1 stems of fgr/ and pha/ do not pair: a \(only in fgr\)"):
        Subjects(root)
    with pytest.raises(BadInput, match=r"does not exist.*\.webp"):
        Subjects(root / "nowhere")
    with pytest.raises(BadInput, match="one of: root, fgr together with pha, rgba"):
        Subjects(fgr=root / "fgr")
    (root / "empty").mkdir()
    with pytest.raises(BadInput, match="holds 0 pictures"):
        Backgrounds(root / "empty")


def test_jpeg_alpha_is_snapped_and_png_alpha_is_not(tmp_path):
    for suffix in (".jpg", ".png"):
        save(tmp_path / suffix / "fgr" / "a.png")
        save(tmp_path / suffix / "pha" / f"a{suffix}", "L", colour=2)
    assert Subjects(tmp_path / ".jpg")[0][0].max() == 0
    assert Subjects(tmp_path / ".jpg", snap=0)[0][0].max() == 2
    assert Subjects(tmp_path / ".png")[0][0].max() == 2


@pytest.mark.parametrize("outside", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
@pytest.mark.parametrize("pha", ["a.png", "a.jpg"])
def test_a_shrunk_jpeg_does_not_bleed(tmp_path, outside, pha):
    alpha = np.zeros((320, 480), np.uint8)
    alpha[83:239, 101:379] = 255  # edges off the grid of 8: the decoder averages over them
    fgr = np.where(alpha[..., None] > 0, (200, 40, 60), outside).astype(np.uint8)
    for kind in ("fgr", "pha"):
        (tmp_path / kind).mkdir()
    Image.fromarray(fgr).save(tmp_path / "fgr" / "a.jpg", quality=98, subsampling=0)
    Image.fromarray(alpha).save(tmp_path / "pha" / pha, quality=98)
    pha, fgr = Subjects(tmp_path).read(0, 40)
    assert fgr.shape == (3, 40, 60)
    off = (fgr.float() - torch.tensor([200.0, 40, 60])[:, None, None]).abs().amax(0)
    assert off[pha[0] >= 32].max() <= 20


def test_samples_are_a_function_of_the_draw(root):
    data = Composites(
        Subjects(root, use_fgr=False), Backgrounds(root / "bgr"), 12, seed=3, repeat=2
    )
    assert len(data) == 6
    sample = data[13]
    assert sample.pha.shape == (1, 12, 18)
    assert sample.bgr.shape == (3, 12, 12)
    assert sample.bgr[0, 0, 0] == data.background_of(13)
    assert (sample.draw, sample.has_fgr) == (13, False)
    again = Composites(data.subjects, data.backgrounds, 12, 3, 2)[13]
    assert all(torch.equal(x, y) for x, y in zip(sample, again, strict=True))


@settings(max_examples=20, deadline=None)
@given(subjects=st.integers(1, 9), backgrounds=st.integers(1, 9), seed=st.integers(0, 99))
def test_an_item_meets_every_background_before_it_meets_one_again(subjects, backgrounds, seed):
    data = Composites(range(subjects), range(backgrounds), 4, seed)
    for index in range(subjects):
        met = [data.background_of(epoch * subjects + index) for epoch in range(2 * backgrounds)]
        assert sorted(met[:backgrounds]) == sorted(met[backgrounds:]) == list(range(backgrounds))


def test_seeds_and_items_differ():
    def met(seed, index):
        data = Composites(range(4), range(50), 4, seed)
        return [data.background_of(epoch * 4 + index) for epoch in range(50)]

    assert len({tuple(met(seed, index)) for seed in (0, 1) for index in range(4)}) == 8


def sample(height, width, draw=0):
    generator = torch.Generator().manual_seed(draw)
    fgr = torch.randint(0, 256, (4, height, width), generator=generator, dtype=torch.uint8)
    return Sample(fgr[3:], fgr[:3], fgr[:3, :8, :8], torch.tensor(True), torch.tensor(draw))


def test_collate_centres_small_subjects_and_extends_their_borders():
    small, wide, tall = sample(10, 9), sample(8, 15, 1), sample(13, 8, 2)
    batch = collate([small, wide, tall])
    assert batch.pha.shape == (3, 1, 13, 15)
    assert torch.equal(batch.pha[0, :, 1:11, 3:12], small.pha)
    assert torch.equal(batch.fgr[0, :, 1:11, 3:12], small.fgr)
    assert batch.pha[0].sum() == small.pha.sum()
    assert (batch.fgr[0, :, :, 0] == batch.fgr[0, :, :, 3]).all()
    assert (batch.fgr[0, :, 12] == batch.fgr[0, :, 10]).all()
    assert batch.draw.tolist() == [0, 1, 2]
    assert batch.has_fgr.shape == (3,)


def test_collate_stacks_equal_sizes():
    samples = [sample(9, 8, draw) for draw in range(3)]
    assert torch.equal(collate(samples).fgr, torch.stack([s.fgr for s in samples]))
