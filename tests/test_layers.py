"""The import law: arrows never point up, rooms of one level do not know each other, no circles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BGM = ROOT / "bgm"
LEVELS = {
    **dict.fromkeys(
        [
            "types",
            "ops",
            "errors",
            "files",
            "console",
            "paths",
            "pictures",
            "video",
            "trimap",
            "people",
        ],
        0,
    ),
    **dict.fromkeys(["model", "augment", "metrics", "losses", "data", "compose", "render"], 1),
    **dict.fromkeys(["weights", "run_info"], 2),
    **dict.fromkeys(["train", "export"], 3),
    "infer": 4,
    "eval": 5,
    "cli": 6,
    "__main__": 7,
}
# Rooms that may not know these, though they lie below: a training knows no dataset class.
FORBIDDEN = {
    "train": {"bgm.data.composites", "bgm.data.folders", "bgm.data.scenes", "bgm.data.procedural"},
    "weights": {"bgm.data", "bgm.metrics", "bgm.augment", "bgm.losses", "bgm.compose"},
}
THIRD = {  # third parties, and the rooms that may import them
    "pytorch_lightning": {"train", "data", "run_info"},
    "hydra": {"weights", "cli", "train", "export", "infer", "eval", "run_info"},
    "kornia": {"augment", "ops", "losses"},
    "cv2": {"metrics", "infer", "trimap", "eval", "render"},
    "jinja2": {"eval"},
    "matplotlib": {"eval"},
    "rich": {"console", "metrics", "eval"},
    "onnx": {"export"},
    "onnxruntime": {"export"},
    "onnxscript": {"export"},
    "av": {"infer", "video"},
    "torchvision": {"model", "train", "export"},
}
FILES = [p for p in sorted(BGM.rglob("*.py")) if p != BGM / "__init__.py"]


def room(path: Path) -> str:
    return path.relative_to(BGM).parts[0].removesuffix(".py")


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Dotted names of what a file imports, the names taken out of a module included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{a.name}" for a in node.names} | {str(node.module)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(BGM).as_posix())
def test_law(path):
    here = room(path)
    assert here in LEVELS, f"{here} is a room without a level"
    for name in imports(path):
        first, *rest = name.split(".")
        if first == "bgm" and rest and rest[0] in LEVELS and rest[0] != here:
            there = rest[0]
            lower = LEVELS[there] < LEVELS[here] or LEVELS[there] == 0
            assert lower, f"{path} imports {name}, which lies on its level or above it"
            assert name not in FORBIDDEN.get(here, ()), f"{path} may not know {name}"
        elif first in THIRD:
            assert here in THIRD[first] or LEVELS[here] >= 6, f"{path} imports {first}"


def test_no_circles():
    modules = {module(p): p for p in BGM.rglob("*.py")}
    graph = {}
    for name, path in modules.items():
        graph[name] = {
            found
            for found in imports(path) & set(modules)
            # A package's own __init__ collects what its modules define.
            if found not in (name, "bgm") and not name.startswith(f"{found}.")
        }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")
