"""A short name for everything that a materialised folder was made from."""

import hashlib
import inspect
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from bgm.data.composites import Composites
from bgm.data.mixture import Mixture


@runtime_checkable
class Described(Protocol):
    """What says itself what tells it from others, in the place of its attributes."""

    def describe(self) -> object:
        """Plain values, or objects that `fingerprint` takes."""


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
    facts: dict[str, Any] = {"kind": type(dataset).__name__, "items": len(dataset)}
    if isinstance(dataset, Composites):
        facts |= {"subjects": len(dataset.subjects), "backgrounds": len(dataset.backgrounds)}
    elif isinstance(dataset, Mixture):
        facts |= {name: about(part) for name, part in dataset.mixed.items()}
    return facts | {"fingerprint": fingerprint(dataset)}


def described(x: object, inside: tuple[int, ...] = ()) -> str:
    """Spell out a value: numbers, texts, containers, arrays, functions, objects to the leaves.

    inside: of which objects it is a part, by id: one that holds itself is spelt once.
    """
    if x is None or isinstance(x, bool | int | float | complex | str | bytes):
        return repr(x)
    if id(x) in inside:
        return "<again>"
    inside = (*inside, id(x))
    if isinstance(x, partial):
        x = [x.func, x.args, x.keywords]
    elif isinstance(x, MethodType):
        x = [x.__func__, x.__self__]
    if isinstance(x, dict):
        items = ((described(k, inside), described(v, inside)) for k, v in x.items())
        return "{" + ",".join(f"{k}:{v}" for k, v in sorted(items)) + "}"
    if isinstance(x, list | tuple | range):
        return "[" + ",".join(described(v, inside) for v in x) + "]"
    if isinstance(x, set | frozenset):
        return "{" + ",".join(sorted(described(v, inside) for v in x)) + "}"
    if isinstance(x, torch.Tensor | np.ndarray | np.generic):
        array = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return f"{array.dtype}{array.shape}{digest}"
    if isinstance(x, Path):
        return f"{x.name}:{x.stat().st_size if x.is_file() else ''}"
    if isinstance(x, type | FunctionType | BuiltinFunctionType):
        cells = [cell.cell_contents for cell in getattr(x, "__closure__", None) or ()]
        return f"{x.__module__}.{x.__qualname__}{described(cells, inside)}:{_source(x)}"
    if isinstance(x, Described):
        state: object = x.describe()
    elif hasattr(x, "__dict__"):
        state = vars(x)
    else:  # an object without attributes, torch.float32 for one
        state = "" if " at 0x" in repr(x) else repr(x)  # an address says nothing elsewhere
    return f"{described(type(x), inside)}({described(state, inside)})"


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
