"""Backgrounds out of one folder, of several, and of a desktop's wallpapers."""

import os

import numpy as np
import pytest

from bgm.data import Backgrounds
from bgm.errors import BadInput
from tests.data.folders import noise, save


def picture(path, seed=0, size=(20, 24)):
    save(path, noise(np.random.default_rng(seed), *size))


def test_several_folders_are_one_list(tmp_path):
    for name in ("a/1.jpg", "b/1.jpg", "b/deep/2.png"):
        picture(tmp_path / name)
    found = Backgrounds([tmp_path / "a", str(tmp_path / "b")])
    assert found.stems == ["a/1", "b/1", "b/deep/2"]
    assert found.read(2, 16).shape == (3, 16, 16)


def test_several_folders_resume_with_what_they_began_with(tmp_path):
    for name in ("a/1.jpg", "b/2.jpg", "b/3.jpg"):
        picture(tmp_path / name)
    folders = [tmp_path / "a", tmp_path / "b"]
    snapshot = Backgrounds(folders).file_snapshot()
    (tmp_path / "b" / "3.jpg").unlink()
    picture(tmp_path / "b" / "0.jpg")
    again = Backgrounds(folders, snapshot=snapshot)
    assert again.stems == ["a/1", "b/2", "b/3"]
    with pytest.raises(BadInput, match="3"):
        again.read(2, 16)


@pytest.mark.parametrize("twice", [["a", "a"], ["a", "."]])
def test_a_folder_named_twice_is_refused(twice, tmp_path):
    picture(tmp_path / "a" / "1.jpg")
    with pytest.raises(BadInput, match="come twice"):
        Backgrounds([tmp_path / name for name in twice])


def test_no_folder_is_refused():
    with pytest.raises(BadInput, match="empty list"):
        Backgrounds([])


def test_wallpapers_of_a_desktop(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", os.pathsep.join([str(tmp_path / "usr"), "/nowhere"]))
    kde = tmp_path / "usr" / "wallpapers" / "Kite" / "contents"
    picture(kde / "images" / "100x80.png", size=(8, 10))
    picture(kde / "images" / "400x320.png", size=(32, 40))
    picture(kde / "screenshot.png")
    picture(tmp_path / "usr" / "backgrounds" / "gnome" / "hill.jpg")
    picture(tmp_path / "usr" / "backgrounds" / "gnome" / "hill.png", size=(60, 70))
    picture(tmp_path / "home" / "backgrounds" / "own.jpg")
    save(tmp_path / "usr" / "icons" / "none.png", np.zeros((4, 4, 3), np.uint8))
    found = Backgrounds("system")
    assert found.stems == [
        "home/backgrounds/own",
        "usr/backgrounds/gnome/hill",
        "usr/wallpapers/Kite/contents/images/400x320",
    ]
    assert found[1].shape == (3, 60, 70)


def test_a_desktop_without_wallpapers_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "usr"))
    with pytest.raises(BadInput, match=r"found no picture in .*usr/wallpapers: give folders"):
        Backgrounds("system")
