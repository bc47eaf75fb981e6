"""How a command line ends early: 1 for what the user has to mend, 75 for what can be resumed."""

import re


class BadInput(ValueError):
    """Input that cannot be used; the message is one sentence that names it, found and expected."""


def check_at_least(what: str, least: int, **numbers: int) -> None:
    """Raise BadInput unless all numbers, by their names, are numbers, least or more."""
    numeric = {name: isinstance(n, int | float) and n is not True for name, n in numbers.items()}
    if too_small := [f"{k} {n}" for k, n in numbers.items() if not numeric[k] or n < least]:
        expected = ", ".join(f"{name} >= {least}" for name in numbers)
        raise BadInput(f"{what} has {', '.join(too_small)}, expected {expected}")


class Stopped(BaseException):
    """A run that was asked to stop, and left what it takes to go on; the message says where.

    No Exception, as KeyboardInterrupt is none: who handles whatever another library raises would
    take it for that.
    """

    code = 75  # EX_TEMPFAIL of sysexits.h: try again


def first_line(error: BaseException | str) -> str:
    """What an error of another package says first: no terminal colours, no line of its source."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines()
    lines = [x for x in lines if not re.fullmatch(r"Exception from \S+:\d+:", x)] or lines
    return lines[0] if lines else "?" if isinstance(error, str) else type(error).__name__


def lost_worker(error: BaseException) -> str:
    """The sentence for a loader's worker that was killed, as by a system out of memory."""
    return (
        f"a worker that loads data was lost ({first_line(error).rstrip('.')}): often memory or "
        "shared memory ran out; lower workers or batch_size, and go on with resume=RUN_FOLDER"
    )
