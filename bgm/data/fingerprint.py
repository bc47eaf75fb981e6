"""A short name for everything that a materialised folder was made from."""

import hashlib
import inspect
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch

from bgm.data.composites import Composites
from bgm.data.mixture import Mixture


def fingerprint(*parts: object) -> str:
    """Twelve hex digits that are equal for equal parts, in any process and on any machine.

    A part is a plain value, or an object: its class, the source of its package and what
    its `describe()` returns, or else its attributes. An edit of the code that makes the data makes
    another name: a stale truth would be worse than one made again.
    """
    return hashlib.sha256(described(list(parts)).encode()).hexdigest()[:12]


def about(dataset: Any) -> dict[str, Any]:
    """Kind, number of items and fingerprint of a dataset, and the numbers of its parts.

    Of a mixture also the same of what is mixed.
    """
    counts: dict[str, Any] = {}
    if isinstance(dataset, Composites):
        counts = {"subjects": len(dataset.subjects), "backgrounds": len(dataset.backgrounds)}
    elif isinstance(dataset, Mixture):
        counts = {name: about(part) for name, part in dataset.mixed.items()}
    kind = type(dataset).__name__
    return {"kind": kind, "items": len(dataset), **counts, "fingerprint": fingerprint(dataset)}


def described(x: object) -> str:
    """Spell out a value: numbers, texts, containers, arrays, functions, objects to the leaves."""
    return _spell(x, ())


def _spell(x: object, inside: tuple[int, ...]) -> str:
    if x is None or isinstance(x, bool | int | float | complex | str | bytes):
        return repr(x)
    if id(x) in inside:
        return "<again>"  # an object that holds itself
    inside = (*inside, id(x))
    if isinstance(x, dict):
        items = ((_spell(k, inside), _spell(v, inside)) for k, v in x.items())
        return "{" + ",".join(f"{k}:{v}" for k, v in sorted(items)) + "}"
    if isinstance(x, list | tuple | range):
        return "[" + ",".join(_spell(v, inside) for v in x) + "]"
    if isinstance(x, set | frozenset):
        return "{" + ",".join(sorted(_spell(v, inside) for v in x)) + "}"
    if isinstance(x, torch.Tensor | np.ndarray | np.generic):
        array = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return f"{array.dtype}{array.shape}{digest}"
    if isinstance(x, Path):
        return f"{x.name}:{x.stat().st_size if x.is_file() else ''}"
    if isinstance(x, partial):
        return f"partial({_spell([x.func, x.args, x.keywords], inside)})"
    if isinstance(x, MethodType):
        return f"{x.__name__} of {_spell(x.__self__, inside)}"
    if isinstance(x, type | FunctionType | BuiltinFunctionType):
        cells = [cell.cell_contents for cell in getattr(x, "__closure__", None) or ()]
        return f"{x.__module__}.{x.__qualname__}{_spell(cells, inside)}:{_source(x)}"
    return f"{_spell(type(x), inside)}({_spell(_state(x), inside)})"


def _state(x: object) -> object:
    own = getattr(x, "describe", None)
    if own is not None:
        return own()
    slots = [name for cls in type(x).__mro__ for name in getattr(cls, "__slots__", ())]
    if hasattr(x, "__dict__") or slots:
        return {n: getattr(x, n) for n in slots if hasattr(x, n)} | getattr(x, "__dict__", {})
    text = repr(x)
    return "" if " at 0x" in text else text  # an address says nothing to another process


@cache
def _source(x: type | FunctionType | BuiltinFunctionType) -> str:
    """Digest of the source beside x: all of its package, or its one file where there is none."""
    root = x.__module__.partition(".")[0]
    if root in ("torch", "kornia", "numpy", "builtins"):
        return ""  # their versions are pinned, and reading them through would take seconds
    try:
        file = Path(inspect.getfile(x))
    except (TypeError, OSError):
        return ""
    package = (file.parent / "__init__.py").exists()
    sources = sorted(file.parent.glob("*.py")) if package else [file]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
