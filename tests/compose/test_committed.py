"""The committed benchmarks: their configs still plan them, the code still makes their pixels."""

from pathlib import Path

import pytest
from hydra import compose as composed
from hydra import initialize_config_dir
from hydra.utils import instantiate

from bgm.compose import PhotoBenchmark, check, compose, read

CONF = Path(__file__).parents[2] / "conf"
COMMITTED = sorted(path.stem for path in (CONF / "benchmark").glob("*.json"))
ALL = sorted(path.stem for path in (CONF / "benchmark").glob("*.yaml"))


def benchmark(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return composed("compose", [f"benchmark={name}", "data_root=nowhere"]).benchmark


def manifest(name):
    return read(CONF / "benchmark" / f"{name}.json")


def test_nothing_was_lost():
    assert COMMITTED == ["procedural", "procedural_clips"]
    assert len(ALL) == 9


@pytest.mark.parametrize("name", COMMITTED)
def test_the_config_plans_what_is_committed(name):
    assert instantiate(benchmark(name)).plan("nowhere") == manifest(name)._replace(files={})


@pytest.mark.parametrize(("name", "scenes"), [("procedural", [0, 13]), ("procedural_clips", [50])])
def test_some_scenes_have_their_committed_pixels(tmp_path, name, scenes):
    committed = manifest(name)
    some = tuple(committed.scenes[n] for n in scenes)
    kinds = {file.partition("/")[0] for file in committed.files}
    names = [f"{kind}/{scene.name}.png" for kind in kinds for scene in some]
    files = {name: committed.files[name] for name in names}
    compose(committed._replace(scenes=some, files=files), "nowhere", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMITTED)
def test_all_scenes_have_their_committed_pixels(tmp_path, name):
    compose(manifest(name), "nowhere", tmp_path / "out", workers=2)
    assert not check(tmp_path / "out", manifest(name), None)


@pytest.mark.parametrize("name", ALL)
def test_every_benchmark_composes(name):
    cfg = benchmark(name)
    if name in ("folder", "clips"):
        cfg.subjects.root = "people"  # these two leave it open
    made = instantiate(cfg)
    assert made.name == name
    if isinstance(made, PhotoBenchmark) and name != "procedural":
        assert (made.count, made.each) == {"aim": (11, 5), "distinctions646": (11, 5)}.get(
            name, (85 if name == "photomatte85" else None, 1)
        )
