"""The import law: rooms of one level never import each other, nothing looks up."""

import ast
from pathlib import Path

import pytest

BGM = Path(__file__).parents[1] / "bgm"
LEVELS = {
    **dict.fromkeys(("errors", "types", "ops", "pictures", "trimap", "video"), 0),
    **dict.fromkeys(("model", "data", "augment", "losses", "metrics", "compose", "robustness"), 1),
    "weights": 2,
    "report": 2,
    **dict.fromkeys(("lit", "export", "infer"), 3),
    **dict.fromkeys(("cli", "__main__"), 4),
}
# What a room may use besides L0 and itself.
ALLOWED = {
    "weights": {"model"},  # to build what a checkpoint describes
    "report": {"metrics"},  # intervals and scales; it reads files that eval.py wrote
    "lit": {"losses", "metrics", "weights"},
    "export": {"weights", "model"},
    "infer": {"weights"},
}
THIRD = {  # third parties, and the rooms that may import them
    "pytorch_lightning": {"lit", "data"},
    "hydra": {"weights", "cli"},
    "kornia": {"augment", "ops"},
    "cv2": {"metrics", "infer", "trimap"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "onnx": {"export"},
    "onnxruntime": {"export"},
    "onnxscript": {"export"},
    "av": {"infer", "video"},
    "torchvision": {"model", "lit", "export"},
}


def room(path: Path) -> str:
    return path.relative_to(BGM).parts[0].removesuffix(".py")


def imports(path: Path) -> set[tuple[str, ...]]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {tuple(a.name.split(".")) for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = tuple((node.module or "").split("."))
            found |= {(*module, a.name) for a in node.names} if module == ("bgm",) else {module}
    return found


FILES = [p for p in sorted(BGM.rglob("*.py")) if p != BGM / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(BGM).as_posix())
def test_law(path):
    here = room(path)
    assert here in LEVELS, f"{here} is a room without a level"
    for name, *rest in imports(path):
        if name == "bgm":
            there = rest[0] if rest else "__init__"
            if there == here or LEVELS.get(there, 0) == 0 or LEVELS[here] == 4:
                continue
            assert there in ALLOWED.get(here, set()), f"{path} imports bgm.{there}"
            assert LEVELS[there] < LEVELS[here], f"{path} looks up to bgm.{there}"
        elif name in THIRD:
            assert here in THIRD[name] or LEVELS[here] == 4, f"{path} imports {name}"


def test_the_scripts_fit_a_glance():
    scripts = [BGM.parent / f"{name}.py" for name in ("train", "eval", "export", "predict")]
    for script in scripts:
        assert len(script.read_text().splitlines()) <= 25, script
