import pytest
import torch
from PIL import Image

from bgm.data import KeptBack, Subjects, SubjectSource
from bgm.errors import BadInput
from bgm.people import FOLDER


class Numbered(SubjectSource):
    """Subjects whose red is their number."""

    def __init__(self, count, has_fgr=True):
        self.count, self.has_fgr = count, has_fgr

    def __len__(self):
        return self.count

    def name(self, index):
        return f"n{index}"

    def open(self, index, short=None):
        return Image.new("RGBA", (4, 4), (index, 0, 0, 255))


def test_the_two_parts_are_all_subjects_and_share_none():
    for count, every in ((7, 3), (6, 6), (10, 2)):
        parts = [KeptBack(Numbered(count), every, held) for held in (True, False)]
        names = [[part.name(i) for i in range(len(part))] for part in parts]
        assert sorted(names[0] + names[1]) == [f"n{i}" for i in range(count)]
        assert len(names[0]) == -(-count // every)
        for part, listed in zip(parts, names, strict=True):
            pha, fgr = part[len(part) - 1]
            assert (f"n{int(fgr[0, 0, 0])}", int(pha[0, 0, 0])) == (listed[-1], 255)
    assert not KeptBack(Numbered(4, has_fgr=False), 2, True).has_fgr


def test_a_part_without_subjects_is_refused():
    with pytest.raises(BadInput, match="every is 0"):
        KeptBack(Numbered(3), 0, True)
    with pytest.raises(BadInput, match="of 3 subjects, every 1 kept back, none are left to train"):
        KeptBack(Numbered(3), 1, False)


def test_embedded_is_a_word_for_the_people_that_come_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    people = Subjects("embedded")
    assert len(people) == len(list(FOLDER.glob("*.webp")))
    (tmp_path / "embedded").mkdir()  # a folder of that name is a folder
    Image.new("RGBA", (8, 8), (9, 9, 9, 255)).save(tmp_path / "embedded" / "a.png")
    assert len(Subjects("embedded")) == 1
    assert torch.is_tensor(Subjects("embedded")[0][0])
