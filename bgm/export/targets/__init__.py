"""Export targets, one file a format, found by looking into this folder."""

import pkgutil
from importlib import import_module
from pathlib import Path

import torch

from bgm.errors import BadInput
from bgm.export.certify.bytes_as_certified import check_certified
from bgm.export.runtime import Exported
from bgm.export.target import Target


def all_targets() -> dict[str, type[Target]]:
    """Every target by its name: those of this folder, and those of other packages imported so far.

    Subclasses that give no name of their own are variants of one, and not listed.
    """
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    found: dict[str, type[Target]] = {}
    waiting: list[type[Target]] = [Target]
    while waiting:
        children = waiting.pop(0).__subclasses__()
        found |= {child.name: child for child in children if "name" in vars(child)}
        waiting += children
    return found


def target_of(path: str | Path) -> type[Target] | None:
    """The target that writes files of this name, by the longest suffix; None for other files."""
    name = Path(path).name.lower()
    fitting = [target for target in all_targets().values() if name.endswith(target.suffix)]
    return max(fitting, key=lambda target: len(target.suffix), default=None)


def open_exported(
    path: str | Path, runtime: str | None = None, device: str | torch.device = "cpu"
) -> Exported:
    """Open an exported file in its first runtime, or in the one named.

    device: for the runtimes that have a choice. Raises BadInput for a file that no target writes,
    for a runtime that does not open it, for a broken file, and for one that is not what the
    certificate beside it was written for.
    """
    target = target_of(path)
    if target is None:
        raise BadInput(f"{path} is no exported file: its suffix is none of {', '.join(suffixes())}")
    if runtime is not None and runtime not in target.runtimes:
        known = ", ".join(target.runtimes)
        raise BadInput(f"runtime={runtime} does not open {path}, expected one of {known}")
    check_certified(target.files(Path(path)))
    return target.runtimes[runtime or next(iter(target.runtimes))](path, device=device)


def suffixes() -> list[str]:
    """The suffixes of all targets' files."""
    return sorted({target.suffix for target in all_targets().values()})
