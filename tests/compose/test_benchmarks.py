"""Plans: who stands before what, counted, dealt evenly, and drawn by the seed alone."""

from collections import Counter

import pytest

from bgm.compose import (
    BackgroundFolder,
    ClipBenchmark,
    DrawnBackgrounds,
    DrawnSubjects,
    PhotoBenchmark,
    PlatePerturbation,
    SubjectFolder,
    Trimap,
    by_clip,
)
from bgm.compose.benchmark_plans import fit_box
from bgm.errors import BadInput
from tests.compose.pictures import backgrounds, matte, picture, save, subjects


def photographs(**changes):
    parts = {"subjects": SubjectFolder("people"), "backgrounds": BackgroundFolder("places")}
    rest = {"each": 2, "plate": PlatePerturbation(), "trimap": Trimap()}
    return PhotoBenchmark("mine", **(parts | rest | changes))


@pytest.fixture
def root(tmp_path):
    subjects(tmp_path / "people", ["a", "b", "c"])
    backgrounds(tmp_path / "places", ["u", "v", "deep/w"])
    return tmp_path


def test_every_subject_meets_each_backgrounds_and_all_are_used_alike(root):
    plan = photographs().plan(root)
    assert [scene.name for scene in plan.scenes] == [f"{n:04d}" for n in range(6)]
    assert Counter(scene.fgr for scene in plan.scenes) == dict.fromkeys(
        ("people/fgr/a.png", "people/fgr/b.png", "people/fgr/c.png"), 2
    )
    assert set(Counter(scene.bgr for scene in plan.scenes).values()) == {2}
    for first, second in zip(plan.scenes[::2], plan.scenes[1::2], strict=True):
        assert first.bgr != second.bgr
    assert len({scene.plate for scene in plan.scenes}) == 6
    assert len(plan.sources) == 9
    assert all(len(spec["sha256"]) == 64 for spec in plan.sources.values())
    assert plan == photographs().plan(root)
    assert plan.scenes != photographs(seed=1).plan(root).scenes


def test_names_choose_and_order_subjects(root):
    plan = photographs(subjects=SubjectFolder("people", ["c", "a"]), count=2).plan(root)
    assert [scene.pha for scene in plan.scenes[::2]] == ["people/pha/c.png", "people/pha/a.png"]
    with pytest.raises(BadInput, match="no subject named x, y"):
        photographs(subjects=SubjectFolder("people", ["x", "y"])).plan(root)


def test_rgba_files_are_one_source(root):
    rgba = picture(0, (30, 40, 4))
    save(root / "cut" / "a.png", rgba)
    plan = photographs(subjects=SubjectFolder("cut")).plan(root)
    assert plan.scenes[0].fgr == plan.scenes[0].pha == "cut/a.png"
    save(root / "cut" / "b.png", rgba[..., :3])
    with pytest.raises(BadInput, match=r"b\.png has no alpha channel"):
        photographs(subjects=SubjectFolder("cut")).plan(root)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 11}, "exactly 11 subjects, found 3: name those"),
        ({"each": 4}, "at least 4 backgrounds, found 3"),
        ({"subjects": SubjectFolder("nobody")}, "nobody does not exist"),
        ({"backgrounds": BackgroundFolder("nowhere")}, "nowhere does not exist"),
        ({"each": 0}, "each"),
        ({"size": [0, 5]}, "size"),
        ({"size": [5]}, "size"),
        ({"size": 512}, r"size of benchmark \w+ is 512, expected \[height, width\]"),
        ({"subjects": SubjectFolder("people", names="zed")}, "no subject named zed"),
    ],
)
def test_what_does_not_suffice_is_named(root, changes, said):
    with pytest.raises(BadInput, match=said):
        photographs(**changes).plan(root)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PlatePerturbation(gamma=(1.2, 0.8)), "from, to"),
        (lambda: PlatePerturbation(gamma=(0, 0.8)), "gamma"),
        (lambda: PlatePerturbation(shift=-1), "0 or more"),
        (lambda: PlatePerturbation(noise_mean=2), "noise_mean"),
        (lambda: PlatePerturbation(noise_variance=(4, 9)), "noise_std"),
        (lambda: Trimap(low=0.9, high=0.1), "low=0.9"),
        (lambda: Trimap(dilate=1.5), "whole"),
        (lambda: clips(frames=0).plan("x"), "frames"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(make, said):
    with pytest.raises(BadInput, match=said):
        make()


def test_fgr_and_pha_of_different_sizes_are_named(root):
    save(root / "people" / "pha" / "b.png", matte((9, 8)))
    with pytest.raises(BadInput, match=r"b\.png is 56x40 pixels and .*pha/b\.png is 8x9"):
        photographs().plan(root)


@pytest.mark.parametrize(
    ("inner", "outer", "box"),
    [
        ((10, 20), (10, 20), (0, 0, 10, 20)),
        ((10, 20), (100, 100), (25, 0, 50, 100)),
        ((20, 10), (100, 100), (0, 25, 100, 50)),
        ((1, 1000), (10, 10), (4, 0, 1, 10)),
    ],
)
def test_boxes(inner, outer, box):
    assert fit_box(inner, outer) == box


def clips(**changes):
    people = DrawnSubjects(3, (32, 48), frames=6)
    still, moving = DrawnBackgrounds(4, (32, 48)), DrawnBackgrounds(4, (32, 48), 9, frames=5)
    rest = {"still_each": 2, "moving_each": 1, "frames": 5}
    parts = {"subjects": people, "still": still, "moving": moving}
    return ClipBenchmark("moves", **(parts | rest | changes))


def test_clips_before_still_and_moving_backgrounds(tmp_path):
    plan = clips().plan(tmp_path)
    by_name = by_clip({scene.name: scene for scene in plan.scenes})
    still, moving = ([f"{kind}-{n:04d}" for n in range(9)] for kind in ("still", "moving"))
    assert list(by_name) == still[:6] + moving[:3]
    for name, frames in by_name.items():
        assert len(frames) == 5
        times = [plan.sources[frame.fgr]["time"] for frame in frames]
        assert times == list(range(times[0], times[0] + 5))
        assert len({frame.bgr for frame in frames}) == (1 if name.startswith("still") else 5)
        assert {frame.flip for frame in frames} == {name in still[3:]}
    assert plan.recipe.blend == "floor"


def test_clips_from_folders_and_their_bad_input(tmp_path):
    subjects(tmp_path / "people", [f"one/{n}" for n in range(4)] + [f"two/{n}" for n in range(3)])
    backgrounds(tmp_path / "places", ["u", "v"])
    people, places = SubjectFolder("people"), BackgroundFolder("places")
    changes = {"subjects": people, "still": places, "moving": None}
    assert len(clips(**changes, frames=3).plan(tmp_path).scenes) == 12
    with pytest.raises(BadInput, match="clip two has 3 frames, benchmark moves needs 4"):
        clips(**changes, frames=4).plan(tmp_path)
    with pytest.raises(BadInput, match="exactly 5 clips, found 2"):
        clips(**changes, frames=3, count=5).plan(tmp_path)
    changes["moving"] = BackgroundFolder("places")
    with pytest.raises(BadInput, match=r"moving background \(not in a folder of its own\) has 2"):
        clips(**changes, frames=3).plan(tmp_path)
