"""Photographs and subjects from files among drawn samples, and subjects in a place's colours."""

import numpy as np
import pytest
import torch
from PIL import Image

from bgm.data import Backgrounds, CroppedSubjects, MixedSources, Subjects
from bgm.data.loaders.file_snapshot import file_snapshots
from bgm.data.recolour import recoloured
from bgm.errors import BadInput
from bgm.types import Sample
from tests.data.folders import disc, noise, save

SIZE = 24


class Drawn:
    """Samples in gray 1 before gray 2, whole."""

    def __len__(self):
        return 1000

    def __getitem__(self, draw):
        x = torch.ones(3, SIZE, SIZE, dtype=torch.uint8)
        return Sample(255 * x[:1], x, 2 * x, torch.tensor(True), torch.tensor(draw))


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(3):
        save(tmp_path / "bgr" / f"{n}.png", noise(rng, 30, 40))
        rgba = np.dstack([noise(rng, 64, 48), disc(rng, 64, 48)])
        save(tmp_path / "people" / f"{n}.png", rgba)
    return {
        "backgrounds": Backgrounds(tmp_path / "bgr"),
        "subjects": CroppedSubjects(Subjects(tmp_path / "people"), each=2),
    }


def kind(sample):
    """Whether place, subject and its colours are others than those drawn."""
    plain = Drawn()[0]
    subject = not torch.equal(sample.pha, plain.pha)
    colours = not subject and not torch.equal(sample.fgr, plain.fgr)
    return not torch.equal(sample.bgr, plain.bgr), subject, colours


def test_shares_are_what_was_asked_for(files):
    mixed = MixedSources(
        Drawn(), SIZE, 3, **files, background_share=0.4, subject_share=0.3, recolour=0.5
    )
    kinds = np.array([kind(s) for s in mixed.__getitems__(list(range(600)))])
    place, subject, colours = kinds.T
    assert abs(place.mean() - 0.4) < 0.06
    assert abs(subject.mean() - 0.3) < 0.06
    assert abs((place & subject).mean() - 0.12) < 0.05
    assert not colours[~place].any()  # what is before its own place stays as it was drawn
    assert 0.3 < colours[place & ~subject].mean() < 0.7


def test_a_sample_is_a_function_of_its_draw(files):
    shares = {"background_share": 0.5, "subject_share": 0.5, "recolour": 0.5, "texture": 0.3}
    mixed = MixedSources(Drawn(), SIZE, 0, **files, **shares)
    together = mixed.__getitems__([9, 4, 30])
    for draw, sample in zip([9, 4, 30], together, strict=True):
        for one, other in zip(sample, mixed[draw], strict=True):
            assert torch.equal(one, other)
        assert int(sample.draw) == draw


def test_without_shares_it_is_the_dataset():
    mixed = MixedSources(Drawn(), SIZE, 0)
    assert len(mixed) == 1000
    for one, other in zip(mixed[7], Drawn()[7], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "wrong", [{"background_share": 0.5}, {"subject_share": 0.1}, {"recolour": 2}, {"texture": 0.1}]
)
def test_shares_without_pictures_are_refused(wrong):
    with pytest.raises(BadInput, match=f"{next(iter(wrong))} is"):
        MixedSources(Drawn(), SIZE, 0, **wrong)


def test_recoloured_subjects_come_closer_to_their_place():
    rng = np.random.default_rng(0)
    pha = torch.full((1, 32, 32), 255, dtype=torch.uint8)
    fgr = torch.zeros(3, 32, 32, dtype=torch.uint8)
    fgr[0, :16], fgr[1, 16:] = 220, 200
    place = torch.full((3, 40, 20), 90, dtype=torch.uint8)
    before = (fgr.float() - 90).abs().mean()
    for pattern in (0.0, 1.0):
        out = recoloured(fgr, pha, place, rng, share=1.0, pattern=pattern)
        assert (out.float() - 90).abs().mean() < 0.4 * before
    assert torch.equal(recoloured(fgr, pha, place, rng, share=0.0), fgr)
    assert torch.equal(recoloured(fgr, 0 * pha, place, rng), fgr)


def test_crops_lie_inside_the_picture_and_differ(tmp_path):
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[10:, 20:60] = 255
    rgba[..., 0], rgba[..., 1] = np.arange(80), np.arange(60)[:, None]
    Image.fromarray(rgba).save(tmp_path / "1.png")
    crops = CroppedSubjects(Subjects(tmp_path), each=40, zoom=(1.0, 3.0))
    assert len(crops) == len({crops.name(index) for index in range(40)}) == 40
    sizes = set()
    for index in range(40):
        pha, fgr = crops[index]
        H, W = pha.shape[1:]
        assert H == W
        assert 16 <= H <= 50
        assert torch.equal(fgr[0].min() + torch.arange(W), fgr[0, 0].long())
        assert pha.max() == 255
        sizes.add(H)
        assert torch.equal(crops[index][0], pha)
    assert len(sizes) > 10


def test_crops_out_of_range_are_named(tmp_path):
    save(tmp_path / "1.png", np.full((8, 8, 4), 255, np.uint8))
    with pytest.raises(BadInput, match="crops has seed -1, expected seed >= 0"):
        CroppedSubjects(Subjects(tmp_path), seed=-1)
    with pytest.raises(BadInput, match="mixed data has seed -1, expected seed >= 0"):
        MixedSources(Drawn(), SIZE, -1)
    with pytest.raises(BadInput, match="each >= 1 and a range zoom above 0"):
        CroppedSubjects(Subjects(tmp_path), each=0)


def test_what_a_run_began_with_is_found_through_crops(tmp_path, files):
    mixed = MixedSources(Drawn(), SIZE, 0, **files, background_share=0.5, subject_share=0.5)
    found = file_snapshots(mixed)
    assert found["backgrounds"]["snapshot"]["stems"] == ["0", "1", "2"]
    assert found["subjects"]["subjects"]["snapshot"]["stems"] == ["0", "1", "2"]
