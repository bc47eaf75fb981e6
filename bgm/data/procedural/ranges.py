"""Every choice of the procedural generator as a named range, out of conf/ranges/all.yaml."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from bgm.errors import BadInput
from bgm.paths import conf_dir


class Ranges:
    """What `Procedural` draws from; pairs are uniform (low, high), other numbers probabilities.

    conf/ranges/all.yaml says what each of them is, and what it is where it is not given here.
    Raises BadInput for a name that is not there.
    """

    def __init__(self, **given: float | Sequence[float]) -> None:
        if strange := given.keys() - defaults().keys():
            raise BadInput(f"ranges/all.yaml has no {', '.join(sorted(strange))}")
        vars(self).update({name: _plain(x) for name, x in (defaults() | given).items()})

    def __getattr__(self, name: str) -> Any:  # for type checkers; only called for what is not there
        raise AttributeError(f"ranges/all.yaml has no {name}")


@cache
def defaults() -> dict[str, Any]:
    """All ranges by name, without the words that are Hydra's."""
    config: Any = OmegaConf.to_container(OmegaConf.load(Path(conf_dir(), "ranges", "all.yaml")))
    return {name: x for name, x in config.items() if not name.startswith("_")}


def _plain(x: float | Sequence[float]) -> float | tuple[float, ...]:
    return tuple(x) if isinstance(x, Sequence) else x
