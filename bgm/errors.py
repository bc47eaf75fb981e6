"""How a command line ends early: 1 for what the user has to mend, 75 for what can be resumed."""


class BadInput(ValueError):
    """Input that cannot be used; the message is one sentence that names it, found and expected."""


class Stopped(Exception):
    """A run that was asked to stop, and left what it takes to go on; the message says where."""

    code = 75  # EX_TEMPFAIL of sysexits.h: try again
