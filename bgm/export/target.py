"""What all export targets share: write under another name, prove, and only then rename."""

import os
from pathlib import Path
from typing import ClassVar

from torch import nn

from bgm.errors import BadInput
from bgm.export.check import Report, Run, check
from bgm.export.metadata import described
from bgm.export.prepare import isolated, prepared, refiner_of


class Target:
    """A file format with the patch methods that suit it; subclasses write it and open it.

    crop, replace: modules of `bgm.model.patches`, None keeps the network's own. select: another
    selection than the network's, None keeps that. tolerance: largest absolute difference that any
    output may have from the network in eager PyTorch with its own crop and replace.
    """

    suffix: ClassVar[str]

    def __init__(
        self,
        crop: nn.Module | None = None,
        replace: nn.Module | None = None,
        select: nn.Module | None = None,
        tolerance: float = 1e-4,
    ):
        self.crop, self.replace, self.select = crop, replace, select
        self.tolerance = float(tolerance)

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        """Write a prepared network and what is said about it to path."""
        raise NotImplementedError

    def open(self, path: Path) -> Run:
        """Open what `write` wrote, whatever its name, in the runtime that it is meant for."""
        raise NotImplementedError

    def __call__(
        self, net: nn.Module, out: str | Path, card: dict[str, str] | None = None
    ) -> Report:
        """Export net (unchanged) to out, which exists afterwards only if the proof succeeded.

        card: more to say in the file, see `bgm.export.card`. Raises BadInput when out cannot be
        written or the file does not compute what net computes; an older out is then untouched.
        """
        out = Path(out)
        part = out.with_name(f".{out.name}.{os.getpid()}.part")
        self.refuse(net, out)
        truth = isolated(net, self.select)
        written = prepared(truth, self.crop, self.replace)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            part.touch()  # now rather than after the minutes of work
            self.write(written, part, described(written) | (card or {}))
            report = check(truth, self.open(part), self.tolerance)
            os.replace(part, out)
        except OSError as error:
            raise BadInput(f"cannot write {out} ({error.strerror or error})") from error
        finally:
            if part.exists():
                part.unlink()
        return report

    def refuse(self, net: nn.Module, out: Path) -> None:
        """Raise BadInput for what can be told before writing."""
        if out.is_dir():
            raise BadInput(f"{out} is a folder; expected a file name that ends in {self.suffix}")
        if out.suffix != self.suffix:
            raise BadInput(f"{out} ends in {out.suffix or 'nothing'}, expected {self.suffix}")
        if self.select is not None and refiner_of(net) is None:
            raise BadInput("select=... is for refined networks; this base network refines nothing")
