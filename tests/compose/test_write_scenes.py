"""Composing: the same pixels twice, every change noticed, nothing half-written."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from bgm.compose import (
    MANIFEST,
    BackgroundFolder,
    PhotoBenchmark,
    PlatePerturbation,
    SubjectFolder,
    Trimap,
    check,
    compose,
    read,
    write,
)
from bgm.compose.manifest import pixel_digest
from bgm.compose.write_scenes import blend_floored, blend_rounded, resize, resize_weighted
from bgm.data import Scenes
from bgm.errors import BadInput
from bgm.files import sha256
from bgm.pictures import read_picture
from tests.compose.pictures import backgrounds, matte, picture, subjects


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    subjects(root / "people", ["a", "b"])
    backgrounds(root / "places", ["u", "v"])
    return root


def plan(root, **changes):
    parts = (SubjectFolder("people"), BackgroundFolder("places"))
    recipe = {"plate": PlatePerturbation(), "trimap": Trimap()}
    return PhotoBenchmark("mine", *parts, 2, **recipe, **changes).plan(root)


def shas(folder):
    return {p.relative_to(folder).as_posix(): sha256(p) for p in folder.rglob("*") if p.is_file()}


def test_twice_the_same_files_whatever_the_number_of_threads(root, tmp_path):
    for number, workers in enumerate((1, 3)):
        compose(plan(root), root, tmp_path / f"out{number}", workers=workers)
    one, other = (shas(tmp_path / f"out{n}") for n in (0, 1))
    assert one == other
    assert len(one) == 5 * 4 + 1
    again = compose(read(tmp_path / "out0" / MANIFEST), root, tmp_path / "third")
    assert shas(tmp_path / "third") == one
    assert again == read(tmp_path / "out0" / MANIFEST)
    assert not list(tmp_path.glob(".*"))


def test_scenes_are_what_they_say(root, tmp_path):
    done = compose(plan(root), root, tmp_path / "out")
    scenes = Scenes(tmp_path / "out")
    assert scenes.names == ["0000", "0001", "0002", "0003"]
    assert scenes.sizes == [(40, 56)] * 4
    pha, fgr = matte((40, 56)), picture(0, (40, 56, 3))
    found = {k: read_picture(tmp_path / "out" / k / "0000.png") for k in ("fgr", "src")}
    assert np.array_equal(read_picture(tmp_path / "out" / "pha" / "0000.png", "L")[0], pha)
    assert np.array_equal(found["fgr"].permute(1, 2, 0), fgr)
    solid = pha == 255
    assert np.array_equal(found["src"].permute(1, 2, 0).numpy()[solid], fgr[solid])
    scene = scenes[0]
    outside = (scene.pha == 0).expand(3, -1, -1)
    off = (scene.src - scene.bgr)[outside]
    assert 0 < off.abs().mean() < 0.1  # the plate is perturbed, a little
    assert set(done.files) == set(shas(tmp_path / "out")) - {MANIFEST}
    trimap = read_picture(tmp_path / "out" / "trimap" / "0000.png", "L")
    assert set(trimap.unique().tolist()) == {0, 128, 255}


def test_size_fits_subjects_in(root, tmp_path):
    compose(plan(root, size=[48, 48]), root, tmp_path / "out")
    scene = Scenes(tmp_path / "out")[0]
    assert scene.src.shape == (3, 48, 48)
    assert scene.pha[0, :7].max() == 0  # 56x40 fits as 48x34
    assert scene.pha[0, 24, 24] == 1


def test_one_source_byte_is_noticed(root, tmp_path):
    manifest = compose(plan(root), root, tmp_path / "out")
    path = root / "places" / "v.png"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (root / "people" / "pha" / "a.png").unlink()
    said = check(tmp_path / "out", manifest, root)
    assert "1 source files in" in said
    assert "missing: people/pha/a.png; 1 source files" in said
    assert said.endswith("not what the manifest says: places/v.png")
    with pytest.raises(BadInput, match=r"missing: people/pha/a\.png; .*manifest says: places/v"):
        compose(manifest, root, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert not check(tmp_path / "out", manifest, None)


def test_changed_missing_and_strange_files_are_named(root, tmp_path):
    out = tmp_path / "out"
    manifest = compose(plan(root), root, out)
    assert not check(out, manifest, root)
    source = out / "bgr" / "0000.png"
    with Image.open(source) as picture:
        picture.load()
    picture.save(source, compress_level=9)  # other bytes, the same pixels
    assert not check(out, manifest, root)
    (out / "src" / "0001.png").write_bytes((out / "src" / "0000.png").read_bytes())
    (out / "pha" / "0002.png").unlink()
    (out / "pha" / "notes.txt").write_text("")
    assert check(out, manifest, root) == (
        f"1 composed files in {out} are missing: pha/0002.png; "
        f"1 composed files in {out} are not what the manifest says: src/0001.png; "
        f"1 files in {out} are not in the manifest: pha/notes.txt"
    )


def test_other_pixels_than_the_manifests_are_refused(root, tmp_path):
    manifest = compose(plan(root), root, tmp_path / "out")
    files = manifest._replace(files={**manifest.files, "bgr/0003.png": "0" * 64})
    with pytest.raises(BadInput, match=r"1 pictures differ from manifest mine.*bgr/0003\.png"):
        compose(files, root, tmp_path / "again")
    with pytest.raises(BadInput, match="exists already"):
        compose(manifest, root, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "out"]


def test_a_manifest_survives_its_file(root, tmp_path):
    manifest = compose(plan(root), root, tmp_path / "out")
    assert read(tmp_path / "out" / MANIFEST) == manifest
    text = (tmp_path / "out" / MANIFEST).read_text()
    assert write(manifest) == text
    assert str(tmp_path) not in text
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved)
    assert plan(moved) == manifest._replace(files={})


def broken(text, change):
    entry = json.loads(text)
    change(entry)
    return json.dumps(entry)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(format="other"), "format"),
        (lambda m: m.pop("scenes"), "scenes"),
        (lambda m: m["scenes"][0].update(name="../x"), "below the folder"),
        (lambda m: m["scenes"][0].update(name="0001"), "twice"),
        (lambda m: m["scenes"][0].update(bgr="nothing"), "no source"),
        (lambda m: m["scenes"][0].update(box=[0, 0, 400, 4]), "not inside"),
        (lambda m: m["scenes"][0].update(size="ab"), "cannot|can be used"),
        (lambda m: m["scenes"][0].update(strange=1), "strange"),
        (lambda m: m["scenes"][0]["plate"].update(gamma="x"), "can be used"),
        (lambda m: m["scenes"][0]["plate"].update(gamma=-1), "gamma"),
        (lambda m: m["scenes"][0]["plate"].update(shift=[1e9, 0]), "shift"),
        (lambda m: m["recipe"].update(blend="add"), "recipe"),
        (lambda m: m["recipe"].update(trimap={"low": "x"}), "can be used"),
        (lambda m: m["recipe"].update(trimap={"low": 2}), "trimap|Trimap"),
        (lambda m: m.update(sources=[]), "can be used"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(root, tmp_path, change, said):
    path = tmp_path / "m.json"
    path.write_text(broken(write(plan(root)), change))
    with pytest.raises(BadInput, match=said) as refused:
        read(path)
    assert "m.json" in str(refused.value)


def test_files_that_are_no_manifests(tmp_path):
    with pytest.raises(BadInput, match="cannot read"):
        read(tmp_path / "absent.json")
    for text in ("", "[]", "{"):
        (tmp_path / "m.json").write_text(text)
        with pytest.raises(BadInput, match=r"m\.json is not a manifest"):
            read(tmp_path / "m.json")
    (tmp_path / "m.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not JSON"):
        read(tmp_path / "m.json")


def test_a_crop_outside_its_background_is_refused(root, tmp_path):
    manifest = plan(root)
    first = manifest.scenes[0]._replace(crop=(0, 0, 51, 60))
    with pytest.raises(BadInput, match=r"crop .* of scene 0000 is not inside"):
        compose(manifest._replace(scenes=(first,)), root, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_blends():
    rng = np.random.default_rng(0)
    fgr, bgr = rng.integers(0, 256, (2, 50, 60, 3), np.uint8)
    pha = rng.integers(0, 256, (50, 60), np.uint8)
    a = pha.astype(float)[:, :, None] / 255
    exact = fgr * a + bgr * (1 - a)
    assert np.abs(blend_rounded(fgr, pha, bgr) - exact).max() <= 0.5 + 1e-9
    assert np.array_equal(blend_floored(fgr, pha, bgr), np.uint8(exact))  # RVM's very expression
    ends = np.where(pha > 99, 255, 0).astype(np.uint8)
    for blend in (blend_rounded, blend_floored):
        found = blend(fgr, ends, bgr)
        assert np.array_equal(found, np.where(ends[..., None] > 0, fgr, bgr))


def test_a_jpeg_that_decodes_otherwise_is_named(root, tmp_path, monkeypatch):
    """Two decoders may differ in a level: the file is the same, its pixels are not."""
    manifest = compose(plan(root), root, tmp_path / "out")
    real = read_picture
    monkeypatch.setattr(
        "bgm.compose.benchmark_sources.read_picture", lambda *args: real(*args).clamp(max=254)
    )
    with pytest.raises(BadInput, match="decode differently here"):
        compose(manifest, root, tmp_path / "again")


def test_hashes_are_those_of_the_pixels(root, tmp_path):
    done = compose(plan(root), root, tmp_path / "out")
    x = read_picture(tmp_path / "out" / "src" / "0000.png").permute(1, 2, 0).numpy()
    assert done.files["src/0000.png"] == pixel_digest(x)
    plain = hashlib.sha256(b"(40, 56, 3)" + x.tobytes()).hexdigest()
    assert plain == pixel_digest(x)


def test_colours_outside_the_subject_do_not_bleed():
    pha = matte((64, 64))
    fgr = np.where(pha[..., None] > 0, np.uint8([200, 100, 50]), np.uint8([0, 255, 255]))
    small, alpha = resize_weighted(fgr, pha, (24, 24))
    assert np.abs(small[alpha > 0].astype(int) - [200, 100, 50]).max() <= 1
    assert np.array_equal(alpha, resize(pha, (24, 24)))
    bled = resize(fgr, (24, 24))[alpha > 0].astype(int)
    assert np.abs(bled - [200, 100, 50]).max() > 20  # what the weights are good for
