"""One name, one thing: public classes and modules of `bgm` are named once."""

import ast
from collections import defaultdict
from pathlib import Path

BGM = Path(__file__).parents[1] / "bgm"
FILES = sorted(BGM.rglob("*.py"))


def named_twice(places: dict[str, list[Path]]) -> list[str]:
    """A line for every name with more than one place."""
    return [
        f"{name}: {', '.join(path.relative_to(BGM).as_posix() for path in paths)}"
        for name, paths in sorted(places.items())
        if len(paths) > 1
    ]


def test_no_two_public_classes_have_one_name():
    places = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    assert not named_twice(places)


def test_no_two_modules_have_one_name():
    """A command of `bgm/cli` may have the name of the package that it runs."""
    places = defaultdict(list)
    for path in FILES:
        if path.parent != BGM / "cli":
            places[path.parent.name if path.name == "__init__.py" else path.stem].append(path)
    assert not named_twice(places)
