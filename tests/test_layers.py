"""The import law: arrows never point up, rooms of one level do not know each other, no circles."""

import ast
import importlib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import pytorch_lightning as pl

import bgm.data

ROOT = Path(__file__).parents[1]
BGM = ROOT / "bgm"
LEVELS = {
    **dict.fromkeys(
        [
            "types",
            "ops",
            "errors",
            "extras",
            "files",
            "console",
            "signals",
            "paths",
            "templates",
            "pictures",
            "colour",
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
    "train": {"bgm.data.composites", "bgm.data.folders", "bgm.data.scenes", "bgm.data.procedural"}
    | {f"bgm.data.{name}" for name in bgm.data.__all__ if name != "MattingData"},
    "weights": {"bgm.data", "bgm.metrics", "bgm.augment", "bgm.losses", "bgm.compose"},
}
THIRD = {  # third parties, and the rooms that may import them
    "pytorch_lightning": {"train", "data", "run_info"},
    "hydra": {"weights", "cli", "train", "export", "infer", "eval", "run_info"},
    "kornia": {"augment", "ops", "losses"},
    "cv2": {"metrics", "infer", "trimap", "eval", "render"},
    "huggingface_hub": {"weights"},
    "jinja2": {"templates"},
    "matplotlib": {"eval"},
    "rich": {"console", "metrics", "eval"},
    "onnx": {"export"},
    "onnxruntime": {"export"},
    "onnxscript": {"export"},
    "av": {"infer", "video"},
    "OpenImageIO": {"pictures"},
    "pillow_heif": {"pictures"},
    "PyOpenColorIO": {"infer"},
    "torchvision": {"model", "train", "export"},
}
# Names of named tuples and of Hydra's configs, which are public in spite of their underscore.
PUBLIC = {"_replace", "_asdict", "_fields", "_target_"}
# PyTorch documents these functions of AOTInductor for users, and has no other name for them.
AOTI = "from torch._inductor import aoti_compile_and_package, aoti_load_package"
ALLOWED_PRIVATE = {"export/targets/aoti.py": [AOTI]}
# Beside `cli`, what assembles, resumes and records a training: these read a whole config.
WHOLE_CONFIG = {"train/trainer.py", "train/resume.py", "run_info.py"}
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


BY_NAME = ("getattr", "hasattr", "setattr", "attrgetter", "import_module")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in PUBLIC


def own_names(tree: ast.Module) -> set[str]:
    """Private names that a file defines: functions, classes, variables, attributes of self."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def private_names_of_others(path: Path) -> list[str]:
    """Underscored names that a file imports, or reads from objects, without defining them."""
    tree = ast.parse(path.read_text())
    own, found = own_names(tree), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            if any(map(is_private, parts)) and parts[0] != "bgm":
                names = ", ".join(alias.name for alias in node.names)
                found.append(f"line {node.lineno}: from {node.module} import {names}")
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            if any(map(is_private, ".".join(names).split("."))):
                found.append(f"line {node.lineno}: import {names}")
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in BY_NAME:
            words = [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
            if any(is_private(part) for word in words for part in word.split(".")):
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(BGM).as_posix())
def test_no_private_name_of_another_package(path):
    """What begins with an underscore in Lightning or PyTorch is none of ours; nor is overriding it.

    A class may use the private names that its own file defines.
    """
    allowed = ALLOWED_PRIVATE.get(path.relative_to(BGM).as_posix(), [])
    found = private_names_of_others(path)
    assert [use for use in found if use.partition(": ")[2] not in allowed] == []


@pytest.mark.parametrize(
    "line",
    [
        "from torch.utils.data._utils import signal_handling",
        "from torch.nn.modules.batchnorm import _BatchNorm",
        "import torch._C",
        "trainer._signal_connector.teardown()",
        "self._shutdown_workers()",
        "getattr(loop, '_should_accumulate')()",
        "operator.attrgetter('_fit_loop')(trainer)",
        "importlib.import_module('torch._C')",
        "from torch._inductor import config, aoti_load_package",
    ],
)
def test_a_private_name_is_noticed(tmp_path, line):
    (tmp_path / "x.py").write_text(f"class A:\n    def run(self, trainer, loop):\n        {line}\n")
    assert len(private_names_of_others(tmp_path / "x.py")) == 1


def overridden(kind: type) -> list[str]:
    """Private names of a class that a base from another package has as well."""
    others = [base for base in kind.__mro__[1:] if not base.__module__.startswith("bgm")]
    own = [name for name, value in vars(kind).items() if is_private(name) and callable(value)]
    return [name for name in own if any(name in vars(base) for base in others)]


def test_no_class_overrides_a_private_name_of_another_package():
    class Watched(pl.Trainer):
        def _run(self, *args, **options):
            return super()._run(*args, **options)

    assert overridden(Watched) == ["_run"]
    rooms = [
        p for p in FILES if room(p) in ("train", "data", "export", "model", "augment", "infer")
    ]
    found = {}
    for path in rooms:
        for kind in vars(importlib.import_module(module(path))).values():
            if isinstance(kind, type) and kind.__module__ == module(path) and overridden(kind):
                found[kind] = overridden(kind)
    assert not found


def test_only_commands_and_the_assembly_of_a_training_read_a_whole_config():
    """A parameter called cfg is a whole config; a part of one has the part's name."""
    reads = {
        path.relative_to(BGM).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and "cfg" in [a.arg for a in node.args.args]
    }
    assert {name for name in reads if not name.startswith("cli/")} == WHOLE_CONFIG
