"""Messages and progress on the screen; of several processes only the first one speaks."""

import os
import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import track

T = TypeVar("T")
# Paths may have [brackets], and colons: of "a:b: a sentence" rich would make an emoji.
console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)


def say(*what: object, sep: str = " ") -> None:
    """Print text as it is, rich's Text and tables in style; of several processes only the first."""
    if is_first():
        console.print(*what, sep=sep)


def say_error(sentence: str) -> None:
    """Print one sentence as it is to the error output; of several processes only the first does."""
    if is_first():
        print(sentence, file=sys.stderr, flush=True)


def is_first() -> bool:
    """Whether this is the first of a training's processes, whoever started them."""
    given = [os.environ[k] for k in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if k in os.environ]
    return not given or given[0] == "0"


def tracked(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The same items, with a progress bar around them on a terminal."""
    return track(items, escape(what), total=total, transient=True, disable=not sys.stdout.isatty())
