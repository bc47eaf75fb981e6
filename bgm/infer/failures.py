"""Frames and shots that could not be matted: each is said at once, all are named at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bgm.errors import BadInput

NAMED = 10  # of the failures, in the last sentence


class Failure(NamedTuple):
    """What could not be matted, and why."""

    what: str  # "frame clip7/0003", "shot B", "frame 0003 of shot B"
    reason: str


class Failures:
    """Collects what failed while the rest goes on. say: takes each sentence when it happens."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.all: list[Failure] = []

    def add(self, what: str, error: BadInput) -> None:
        """Name one failure; may be called from another thread."""
        self.all.append(Failure(what, str(error)))
        self.say(f"error: {what}: {error}")

    @contextmanager
    def of_shot(self, name: str, alone: bool) -> Iterator[None]:
        """A block whose BadInput ends this shot only; a shot that is alone raises it."""
        try:
            yield
        except BadInput as error:
            if alone:
                raise
            self.add(f"shot {name}", error)

    def end(self, done: str) -> None:
        """Raise BadInput that names what failed, if anything has. done: what there is."""
        if not self.all:
            return
        names = ", ".join(failure.what for failure in self.all[:NAMED])
        more = f" and {len(self.all) - NAMED} more" if len(self.all) > NAMED else ""
        raise BadInput(
            f"{len(self.all)} could not be matted: {names}{more};"
            f" {done}; mend them, and resume=true does only what is missing"
        )
