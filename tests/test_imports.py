"""`import bgm` stays quick: what it imports is counted, not timed."""

import subprocess
import sys

import pytest

import bgm

SLOW = {"torch", "torchvision", "pytorch_lightning", "kornia", "hydra", "cv2", "matplotlib"}
SLOW |= {"onnx", "onnxruntime", "torchmetrics", "tensorboard", "jinja2", "av", "scipy"}


def modules(statement: str) -> list[str]:
    """What a new interpreter has imported after a statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize(
    ("statement", "most", "allowed"),
    [
        ("import bgm", 200, set()),
        ("import bgm; bgm.load", 2600, {"torch", "torchvision", "hydra"}),
        ("import bgm.data", 1600, {"torch"}),
    ],
)
def test_an_import_takes_no_more_than_it_needs(statement, most, allowed):
    found = modules(statement)
    assert not {name.partition(".")[0] for name in found} & SLOW - allowed
    assert len(found) <= most


def test_every_public_name_is_there():
    for name in bgm.__all__:
        assert getattr(bgm, name)
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = bgm.absent
