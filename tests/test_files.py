"""bgm/files.py: what fails leaves neither files nor the folders that were made for them."""

import pytest

from bgm.files import atomic_files, atomic_folder, atomic_write


@pytest.mark.parametrize("writer", [atomic_write, atomic_folder, atomic_files])
def test_a_failure_leaves_no_folders_but_those_that_were_there(tmp_path, writer):
    (tmp_path / "there").mkdir()

    def fail():
        with writer(tmp_path / "there/new/newer/name"):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert [x.name for x in tmp_path.rglob("*")] == ["there"]


def test_a_folder_that_somebody_else_uses_stays(tmp_path):
    def fail():
        with atomic_write(tmp_path / "new/name"):
            (tmp_path / "new/other").write_text("of another program")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert [x.name for x in tmp_path.rglob("*")] == ["new", "other"]


def test_what_is_written_appears_with_its_folders(tmp_path):
    with atomic_write(tmp_path / "a/b/file") as partial:
        partial.write_text("whole")
    assert (tmp_path / "a/b/file").read_text() == "whole"
