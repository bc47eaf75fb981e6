"""Folders of finished scenes: read, checked, written whole or not at all."""

import pytest
import torch

from bgm.data.scenes import Scenes, materialise, stack, write_scenes
from bgm.errors import BadInput
from bgm.pictures import write_png
from bgm.types import Batch, Sample


def scene(seed=0, size=(8, 12), has_fgr=True):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (10, *size), generator=generator).float() / 255
    return Batch(x[:3], x[3:6], x[6:7], x[7:], torch.tensor(has_fgr))


def test_written_scenes_come_back_to_the_bit(tmp_path):
    scenes = [scene(0), scene(1, (5, 7), has_fgr=False), scene(2)]
    write_scenes(tmp_path / "new" / "valid", iter(scenes), ["b", "clip 1/a", "c"])
    found = Scenes(tmp_path / "new" / "valid")
    assert found.names == ["b", "c", "clip 1/a"]
    assert found.sizes == [(8, 12), (8, 12), (5, 7)]
    for index, true in enumerate([scenes[0], scenes[2]]):
        assert all(torch.equal(x, y) for x, y in zip(found[index], true, strict=True))
    assert not found[2].has_fgr
    assert torch.equal(found[2].fgr, found[2].src)
    assert len(Scenes(tmp_path / "new" / "valid", length=2)) == 2
    assert stack([found[0], found[1]]).has_fgr.tolist() == [True, True]
    assert sum(1 for _ in found) == 3


def test_one_plate_serves_all_and_fgr_is_optional(tmp_path):
    for stem in ("a", "b"):
        write_png(tmp_path / "src" / f"{stem}.png", scene().src)
        write_png(tmp_path / "pha" / f"{stem}.png", scene().pha)
    write_png(tmp_path / "bgr" / "plate.png", scene(5).src)
    found = Scenes(tmp_path)
    assert torch.equal(found[0].bgr, found[1].bgr)
    assert not found[0].has_fgr
    write_png(tmp_path / "bgr" / "other.png", scene(5).src)
    with pytest.raises(BadInput, match=r"a \(only in src\)"):
        Scenes(tmp_path)


@pytest.mark.parametrize("field", ["bgr", "pha", "fgr"])
def test_different_sizes_are_named(tmp_path, field):
    write_scenes(tmp_path / "v", [scene()], ["a"])
    write_png(tmp_path / "v" / field / "a.png", torch.zeros(1, 9, 12))
    with pytest.raises(BadInput, match=rf"src/a\.png is 12x8 .*{field}/a\.png is 12x9"):
        Scenes(tmp_path / "v")


def test_missing_and_unpaired_are_named(tmp_path):
    with pytest.raises(BadInput, match="src does not exist"):
        Scenes(tmp_path)
    write_scenes(tmp_path / "v", [scene()], ["a"])
    with pytest.raises(BadInput, match="holds 1 scenes, 2 are asked for"):
        Scenes(tmp_path / "v", length=2)
    write_png(tmp_path / "v" / "fgr" / "stray.png", scene().fgr)
    with pytest.raises(BadInput, match=r"stray \(only in fgr\)"):
        Scenes(tmp_path / "v")


def test_a_failure_leaves_nothing_behind(tmp_path):
    def broken():
        yield scene()
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_scenes(tmp_path / "v", broken(), ["a", "b"])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot write"):
        write_scenes(tmp_path / "file" / "v", [scene()], ["a"])


def test_another_process_may_be_first(tmp_path):
    def slow():
        write_scenes(tmp_path / "v", [scene(1)], ["a"])
        yield scene(2)

    write_scenes(tmp_path / "v", slow(), ["a"])
    assert torch.equal(Scenes(tmp_path / "v")[0].src, scene(1).src)
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


class Toy:
    """Five items; a draw's pictures have its number as their value, asked for one or many."""

    asked: list

    def __init__(self):
        self.asked = []

    def __len__(self):
        return 5

    def __getitem__(self, draw):
        self.asked.append(draw)
        x = torch.full((3, 6, 6), draw, dtype=torch.uint8)
        return Sample(x[:1], x, x, torch.tensor(True), torch.tensor(draw))


class ToyOfMany(Toy):
    def __getitems__(self, draws):
        return [self[draw] for draw in draws]


def augment(sample):
    side = 4 + int(sample.draw[0])  # every draw has a size of its own
    x = (sample.fgr.float() / 255).repeat(1, 1, 2, 2)[..., :side, :side]
    return Batch(x, x, x[:, :1], x, sample.has_fgr)


@pytest.mark.parametrize("kind", [Toy, ToyOfMany])
def test_materialise_composes_once(tmp_path, kind):
    data = kind()
    found = materialise(tmp_path / "v", data, augment, 7)
    assert found.names == [f"{draw:05d}" for draw in range(7)]
    assert found.sizes[6] == (10, 10)
    assert (found[6].pha * 255).round().eq(6).all()
    assert data.asked == list(range(7))
    assert materialise(tmp_path / "v", data, augment, 7).names == found.names
    assert len(data.asked) == 7
    with pytest.raises(BadInput, match="holds 7 scenes, expected 8"):
        materialise(tmp_path / "v", data, augment, 8)
