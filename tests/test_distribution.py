"""The distribution: what each extra brings, what runs without them, and that the wheel installs."""

import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import numpy as np
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from packaging.requirements import Requirement

from bgm.cli.error_messages import error_message
from bgm.errors import BadInput
from bgm.export.runtime import require_package
from bgm.extras import DISTRIBUTION, EXTRAS, extra_named
from tests.data import folders

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROJECT_EXTRAS = PROJECT["optional-dependencies"]
GPL = {"heif", "video"}
NOT_FOR_RUNNING = {"all", "browser", "dev", "docs", "litert", "sweeps"}  # litert: another torch
TEXTS = [ROOT / "README.md", ROOT / "Makefile", *ROOT.glob("docs/*.md")]
TEXTS += [
    *ROOT.glob("bgm/**/*.py"),
    *ROOT.glob("integrations/**/*.*"),
    *ROOT.glob(".github/**/*.*"),
]
PREDICT = ["predict", "outputs=[com]", "device=cpu"]
TRAIN = ["train", "experiment=base", "backbone=mobilenetv2", "trainer.accelerator=cpu"]
TRAIN += ["trainer.max_steps=1", "batch_size=2", "workers=0", "augment.size=64"]
TRAIN += ["augment.crop=[48,64]", "valid_augment.size=64", "valid_augment.crop=[48,60]"]


def test_every_extra_that_is_named_exists():
    assert PROJECT["name"] == DISTRIBUTION
    assert set(EXTRAS.values()) <= set(PROJECT_EXTRAS)
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"['\"]bgm\[", text), f"{path} names the distribution bgm"
        for words in re.findall(rf"{DISTRIBUTION}\[([\w,]+)\]", text):
            assert set(words.split(",")) <= set(PROJECT_EXTRAS), path


def test_all_is_everything_people_run_but_the_gpl():
    (everything,) = PROJECT_EXTRAS["all"]
    assert Requirement(everything).extras == set(PROJECT_EXTRAS) - GPL - NOT_FOR_RUNNING


def test_an_import_that_fails_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia", None)
    with (
        pytest.raises(ModuleNotFoundError, match=r"kornia .* 'bgm-matting\[train\]'$"),
        extra_named(),
    ):
        import kornia.filters  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="No module named 'absent_module'"), extra_named():
        import absent_module  # noqa: F401
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BadInput, match=r"openvino .* 'bgm-matting\[runtimes\]'$"):
        require_package("openvino")


PICTURES = [str(ROOT / "examples" / name) for name in ("shot.jpg", "plate.jpg")]
WITHOUT_EXTRAS = f"""
import sys
from importlib.machinery import PathFinder

class WithoutExtras(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] in {sorted(EXTRAS)}
        return None if absent else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutExtras
"""
LOAD_AND_MATTE = f"""
import bgm
from PIL import Image

pictures = [Image.open(path).resize((96, 64)) for path in {PICTURES}]
assert bgm.matte(bgm.load("mobilenetv2"), *pictures).com.size == (96, 64)
"""
COMMAND = "from bgm.cli import main; sys.argv[0] = 'bgm'; main()"


def without_extras(code: str, *words: str) -> subprocess.CompletedProcess:
    """Run code in a new interpreter that can import no package of an extra."""
    command = [sys.executable, "-c", WITHOUT_EXTRAS + code, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.timeout(600)  # one start of an interpreter with torch, beside whatever else runs
def test_matting_needs_no_extra(tmp_path):
    shot = tmp_path / "shot.png"
    folders.save(shot, folders.noise(np.random.default_rng(0), 40, 60))
    words = [*PREDICT, f"src={shot}", f"bgr={shot}", f"out={tmp_path}"]
    run = without_extras(LOAD_AND_MATTE + COMMAND, *words)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "com" / "shot.png").is_file()


@pytest.mark.timeout(600)
def test_a_command_that_misses_an_extra_says_so_in_one_sentence():
    run = without_extras(COMMAND, "train", "experiment=small")
    assert run.returncode == 1
    assert run.stderr == (
        "error: pytorch_lightning is not installed: pip install 'bgm-matting[train]'\n"
    )


def test_a_part_of_a_config_that_misses_an_extra_is_one_sentence(monkeypatch):
    monkeypatch.delitem(sys.modules, "bgm.data.datamodule", raising=False)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": "bgm.data.MattingData"})
    assert error_message(caught.value) == (
        "pytorch_lightning is not installed: pip install 'bgm-matting[train]'"
    )


class Installed:
    """An empty environment with the wheel, and what the wheel's metadata asks for.

    The packages it asks for are links to those of this interpreter: nothing is downloaded, and
    what no requirement names cannot be imported.
    """

    def __init__(self, folder: Path, wheel: Path):
        venv.create(folder, symlinks=True)
        self.bin = folder / "bin"
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
        (self.site,) = folder.glob("lib/python*/site-packages")
        (found,) = self.site.glob("bgm_matting-*.dist-info")
        self.seen: set[tuple[str, str]] = set()
        self.wheel = PathDistribution(found)
        self.require(self.wheel.requires or [], "")

    def add(self, extra: str) -> None:
        """Add what an extra of the wheel asks for."""
        self.require(self.wheel.requires or [], extra)

    def require(self, requirements: list[str], extra: str) -> None:
        """Link the packages of requirements, and what those need."""
        for requirement in map(Requirement, requirements):
            marker = requirement.marker
            if marker is not None and not marker.evaluate({"extra": extra}):
                continue
            for wanted in ("", *requirement.extras):
                if (requirement.name, wanted) not in self.seen:
                    self.seen.add((requirement.name, wanted))
                    self.link(requirement.name)
                    self.require(distribution(requirement.name).requires or [], wanted)

    def link(self, name: str) -> None:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (self.site / top).exists():
                (self.site / top).symlink_to(Path(str(found.locate_file(top))).resolve())

    def bgm(self, *words: str) -> subprocess.CompletedProcess:
        """Run the command bgm of the environment, outside of the checkout."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        command = [self.bin / "bgm", *words]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=self.bin.parent, env=environment
        )


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_sdist_and_wheel_install_and_run(tmp_path):
    """Each program on four pictures, in an environment that has what the wheel asks for only."""
    pytest.importorskip("hatchling", reason="hatchling builds it (pip install 'bgm-matting[dev]')")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run([*build, "-t", "sdist"], check=True, cwd=ROOT, capture_output=True)
    (sdist,) = tmp_path.glob("bgm_matting-*.tar.gz")
    subprocess.run(["tar", "xf", sdist, "-C", tmp_path], check=True)
    source = sdist.with_name(sdist.name.removesuffix(".tar.gz"))
    subprocess.run([*build, "-t", "wheel"], check=True, cwd=source, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    here = Installed(tmp_path / "environment", wheel)

    data = folders.make(tmp_path / "data", subjects=4, backgrounds=4)
    shots, plates = data / "train" / "fgr", data / "backgrounds" / "train"
    for plate in plates.iterdir():
        folders.save(plate, folders.noise(np.random.default_rng(1), 64, 80))
    out = tmp_path / "mattes"
    run = here.bgm(*PREDICT, f"src={shots}", f"bgr={plates}", f"out={out}")
    assert run.returncode == 0, run.stderr
    assert len(list((out / "com").iterdir())) == 4

    run_folder = tmp_path / "run"
    train = [*TRAIN, f"data_root={data}", f"hydra.run.dir={run_folder}"]
    model = tmp_path / "model.onnx"
    export = ["export", f"ckpt={run_folder / 'last.ckpt'}", "export=onnx", f"out={model}"]
    export += ["certify.grid=brief", "certify.scenes=1"]
    run = here.bgm(*train)
    assert run.returncode == 1
    assert "pip install 'bgm-matting[train]'" in run.stderr.splitlines()[-1]
    here.add("train")
    run = here.bgm(*train)
    assert run.returncode == 0, run.stderr

    run = here.bgm(*export)
    assert run.returncode == 1
    assert "pip install 'bgm-matting[export]'" in run.stderr.splitlines()[-1]
    here.add("export")
    run = here.bgm(*export)
    assert run.returncode == 0, run.stderr
    assert Path(f"{model}.certificate.md").is_file()
