import pytest

from bgm.errors import BadInput
from bgm.infer.shot_list import ListedShot, choose_shots, list_shots


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_of_shots(tmp_path):
    shots, out = tmp_path / "shots", tmp_path / "shots/mattes"
    touch(shots / "b/src/0001.png", shots / "b/bgr/0001.png", shots / "a 1/src.mp4")
    touch(shots / "a 1/bgr.png", shots / "a 1/notes.txt", shots / "._c/src.mp4", out / "b/x.png")
    assert list_shots(shots, out) == [
        ListedShot("a 1", str(shots / "a 1/src.mp4"), str(shots / "a 1/bgr.png"), str(out / "a 1")),
        ListedShot("b", str(shots / "b/src"), str(shots / "b/bgr"), str(out / "b")),
    ]


def test_rows_of_a_csv_are_paths_from_its_folder(tmp_path):
    table = tmp_path / "list/shots.csv"
    table.parent.mkdir()
    table.write_text("\ufeffbgr, src,out\nplate.png,a.mp4,../mattes/a\nmedian,/b/c.mp4,\n")
    rows = list_shots(table, tmp_path / "out")
    assert rows[0] == ListedShot(
        "a.mp4",
        str(table.parent / "a.mp4"),
        str(table.parent / "plate.png"),
        str(tmp_path / "out/../mattes/a"),
    )
    assert rows[1] == ListedShot("/b/c.mp4", "/b/c.mp4", "median", str(tmp_path / "out/c"))
    with pytest.raises(BadInput, match=r"line 3: out is empty"):
        list_shots(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("src,out\na,b\n", "bgr is missing"),
        ("", "has the columns none"),
        ("src,bgr,out\n", "no rows"),
        ("src,bgr,out\na.mp4,p.png,m\nb/a.mp4,p.png,m\n", "would both write"),
    ],
)
def test_a_csv_that_cannot_be_used_is_one_sentence(tmp_path, text, message):
    table = tmp_path / "shots.csv"
    table.write_text(text)
    with pytest.raises(BadInput, match=message):
        list_shots(table)


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        list_shots(tmp_path / "absent", tmp_path)
    with pytest.raises(BadInput, match="holds no folders"):
        list_shots(tmp_path, tmp_path / "out")
    touch(tmp_path / "a/src.mp4", tmp_path / "a/src.mov")
    with pytest.raises(BadInput, match="out=FOLDER"):
        list_shots(tmp_path)
    with pytest.raises(BadInput, match=r"has src\.mov and src\.mp4"):
        list_shots(tmp_path, tmp_path / "out")


def test_shots_are_chosen_by_number_and_name():
    shots = [ListedShot(name, "s", "b", "o") for name in ("a", "b", "7")]
    assert choose_shots(shots, None) == shots
    assert choose_shots(shots, 1) == shots[1:2]
    assert choose_shots(shots, ["7", 0]) == [shots[2], shots[0]]
    for absent in (3, -1, "c"):
        with pytest.raises(BadInput, match=r"none of the 3 shots.*0 to 2.*a, b, 7"):
            choose_shots(shots, absent)
