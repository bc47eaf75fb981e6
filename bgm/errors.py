"""Errors that are the user's to mend: one clear sentence, exit code 1 on a command line."""


class BadInput(ValueError):
    """Input that cannot be used; the message is one sentence that names it, found and expected."""
