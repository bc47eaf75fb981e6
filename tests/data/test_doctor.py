"""Every finding of the doctor in a folder that has it, and none in one that has none."""

import math
import shutil

import numpy as np
import pytest
from PIL import Image

from bgm.data import Backgrounds, Composites, Procedural, Subjects
from bgm.data.doctor.diagnosis import checkup, diagnose, find_near_duplicates
from bgm.data.doctor.item_report import ItemReports, take_inventory
from bgm.data.loaders.resumable import Loader
from tests.data.folders import disc, make, noise, save


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return make(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def root(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / "copy")


def examined(root):
    """Findings of a folder as conf/data/folder.yaml names it: (code, where) -> Finding."""
    inventories = [
        take_inventory(split, role, {"root" if role == "subjects" else "folder": root / below})
        for split in ("train", "valid")
        for role, below in (("subjects", split), ("backgrounds", f"backgrounds/{split}"))
    ]
    parts = [part for part, _ in inventories]
    reports = ItemReports(parts)
    found = diagnose(parts, [reports[i] for i in range(len(reports))])
    found += [finding for _, findings in inventories for finding in findings]
    return {(f.code, f.where): f for f in found}


def test_a_clean_folder_has_no_findings(clean):
    assert examined(clean) == {}


def test_a_matte_of_floats_is_looked_at_as_a_training_reads_it(root):
    path = root / "train" / "pha" / "0.png"
    values = np.asarray(Image.open(path)).astype(np.float32) / 255
    Image.fromarray(values).save(path.with_suffix(".tif"))
    path.unlink()
    assert examined(root) == {}


def alpha(root, n):
    return np.asarray(Image.open(root / "train" / "pha" / f"{n}.png"))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])


def missing(root):
    shutil.rmtree(root / "backgrounds" / "valid")


def unpaired(root):
    (root / "train" / "pha" / "3.png").unlink()


def sizes(root):
    save(root / "train" / "pha" / "2.png", disc(np.random.default_rng(0), 64, 81))


def truncated_jpeg(root):
    cut(root / "train" / "fgr" / "2.jpg")


def truncated_png(root):
    cut(root / "train" / "pha" / "2.png")


def truncated_background(root):
    cut(root / "backgrounds" / "train" / "7.jpg")


def without_alpha(root):
    for kind in ("fgr", "pha"):
        shutil.rmtree(root / "valid" / kind)
    for n in range(2):
        save(root / "valid" / f"{n}.png", noise(np.random.default_rng(n), 24, 24))


def empty(root):
    save(root / "train" / "pha" / "1.png", np.zeros((64, 80), np.uint8))


def full(root):
    save(root / "train" / "pha" / "1.png", np.full((64, 80), 255, np.uint8))


def binary(root):
    save(root / "train" / "pha" / "1.png", (alpha(root, 1) > 127).astype(np.uint8) * 255)


def never_0(root):
    save(root / "train" / "pha" / "1.png", np.maximum(alpha(root, 1), 9))


def noisy(root):
    rough = alpha(root, 1) + (np.arange(80) % 3).astype(np.uint8) * (alpha(root, 1) < 200)
    save(root / "train" / "pha" / "1.png", rough.astype(np.uint8))


def jpeg_alpha(root):
    save(root / "train" / "pha" / "1.jpg", alpha(root, 1), quality=40)
    (root / "train" / "pha" / "1.png").unlink()


def coloured_alpha(root):
    save(root / "train" / "pha" / "1.png", noise(np.random.default_rng(1), 64, 80))


def alpha_of_alpha(root):
    white = np.full((64, 80), 255, np.uint8)
    save(root / "train" / "pha" / "1.png", np.dstack([white, alpha(root, 1)]))


def few(root):
    for path in sorted((root / "backgrounds" / "train").iterdir())[5:]:
        path.unlink()


def duplicates(root):
    shutil.copy(root / "backgrounds" / "train" / "0.jpg", root / "backgrounds" / "train" / "x.jpg")


def near_duplicates(root):
    picture = Image.open(root / "train" / "fgr" / "0.jpg")
    picture.save(root / "train" / "fgr" / "x.jpg", quality=60)
    shutil.copy(root / "train" / "pha" / "0.png", root / "train" / "pha" / "x.png")


def leak(root):
    for kind, name in {"fgr": "0.jpg", "pha": "0.png"}.items():
        shutil.copy(root / "train" / kind / name, root / "valid" / kind / f"x{name[1:]}")


def near_leak(root):
    picture = Image.open(root / "backgrounds" / "train" / "0.jpg")
    picture.resize((96, 72)).save(root / "backgrounds" / "valid" / "x.jpg")


SICK = [
    (missing, "error", "folders", "valid backgrounds"),
    (unpaired, "error", "unpaired", "train subjects"),
    (sizes, "error", "sizes", "train subjects"),
    (truncated_jpeg, "error", "broken", "train subjects"),
    (truncated_png, "error", "broken", "train subjects"),
    (truncated_background, "error", "broken", "train backgrounds"),
    (without_alpha, "error", "no alpha", "valid subjects"),
    (empty, "warning", "empty", "train subjects"),
    (full, "warning", "full", "train subjects"),
    (binary, "warning", "binary", "train subjects"),
    (never_0, "warning", "never 0", "train subjects"),
    (noisy, "warning", "noise", "train subjects"),
    (jpeg_alpha, "note", "jpeg alpha", "train subjects"),
    (coloured_alpha, "warning", "coloured alpha", "train subjects"),
    (alpha_of_alpha, "warning", "alpha of alpha", "train subjects"),
    (few, "warning", "few backgrounds", "train backgrounds"),
    (duplicates, "warning", "duplicates", "train backgrounds"),
    (near_duplicates, "warning", "duplicates", "train subjects"),
    (leak, "error", "leak", "train subjects and valid subjects"),
    (near_leak, "warning", "leak", "train backgrounds and valid backgrounds"),
]


@pytest.mark.parametrize(
    ("infect", "level", "code", "where"), SICK, ids=[row[0].__name__ for row in SICK]
)
def test_the_finding_is_found(root, infect, level, code, where):
    infect(root)
    found = examined(root)
    assert (code, where) in found
    finding = found.pop((code, where))
    assert finding.level == level
    assert "alpha is" not in finding.sentence or "/pha/1." in finding.examples[0]
    assert finding.count == (5 if infect is few else 2 if infect is without_alpha else 1)
    others = {code for code, _ in found}
    also = {full: {"never 0"}, alpha_of_alpha: {"full", "never 0"}, coloured_alpha: {"never 0"}}
    assert others <= also.get(infect, set())


def test_frames_of_one_clip_are_not_duplicates(root):
    for n in range(2):
        for kind, name in {"fgr": "0.jpg", "pha": "0.png"}.items():
            clip = root / "train" / kind / "clip"
            clip.mkdir(exist_ok=True)
            shutil.copy(root / "valid" / kind / name, clip / f"{n}{name[1:]}")
    assert set(examined(root)) == {("leak", "train subjects and valid subjects")}


def test_near_duplicates_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 300, dtype=np.uint64)
    for n in range(100, 200):  # neighbours with 0 to 6 bits changed
        flips = rng.choice(64, n % 7, replace=False).astype(np.uint64)
        hashes[n] = hashes[n - 100] ^ np.bitwise_or.reduce(np.uint64(1) << flips, initial=0)
    thumbs = np.zeros((300, 8, 8, 3), np.uint8)
    near = np.bitwise_count(hashes[:, None] ^ hashes[None]) <= 3
    expected = [(i, j) for i, j in np.argwhere(near) if i < j]
    assert find_near_duplicates(hashes, thumbs, np.arange(300)).tolist() == [
        list(map(int, pair)) for pair in expected
    ]
    thumbs[100:200] = 200  # the same gradients, other colours
    assert len(find_near_duplicates(hashes, thumbs, np.arange(300))) == 0


def test_a_twin_is_found_behind_a_long_clip():
    clip = np.arange(1000) % 5  # frames of one clip, hundreds of each likeness
    hashes = np.append(clip, 0).astype(np.uint64)
    thumbs = np.zeros((1001, 8, 8, 3), np.uint8)
    pairs = find_near_duplicates(hashes, thumbs, np.append(np.zeros(1000, int), 1))
    assert len(pairs)
    assert (pairs[:, 1] == 1000).all()


def composites(root, split, **subjects):
    return Composites(
        Subjects(root / split, **subjects), Backgrounds(root / "backgrounds" / split), 32
    )


def test_the_checkup_is_one_line_when_all_is_well(clean):
    said = checkup({name: composites(clean, name) for name in ("train", "valid")}, seconds=math.inf)
    assert len(said) == 1
    for words in ("6 train subjects", "100 train backgrounds", "nothing found"):
        assert words in said[0]
    assert checkup({"train": Procedural(16, 4, 0), "valid": None}, seconds=math.inf) == []


def test_the_checkup_says_what_it_finds_and_keeps_its_time(root):
    truncated_jpeg(root)
    binary(root)
    sets = {"train": composites(root, "train"), "valid": composites(root, "train")}
    said = "\n".join(checkup(sets, seconds=math.inf))
    for words in ("broken", "2.jpg", "a mask", "splits share files", "bgm doctor"):
        assert words in said
    assert "4 looked at" in checkup(sets, seconds=0)[0]


def test_looks_are_plain_enough_for_workers(root):
    part, _ = take_inventory("train", "subjects", {"root": root / "train"})
    loader = Loader(
        ItemReports([part], limit=3), batch_size=None, num_workers=1, collate_fn=lambda x: x
    )
    assert [report.stem for report in loader] == ["0", "2", "5"]
