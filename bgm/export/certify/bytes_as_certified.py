"""Whether files are, byte for byte, those that the certificate beside them was written for."""

import json
from collections.abc import Sequence
from pathlib import Path

from bgm.errors import BadInput
from bgm.files import sha256


def certificate_of(model: Path) -> Path:
    """Where the certificate of an exported file lies, as numbers."""
    return model.with_name(f"{model.name}.certificate.json")


def check_certified(files: Sequence[Path]) -> None:
    """Raise BadInput unless files are what the certificate beside the first of them has seen.

    Without a certificate anything is. Runtimes do not notice changed weights: some compute with
    them, some end the process.
    """
    path = certificate_of(files[0])
    if not path.is_file():
        return
    try:
        certified = [str(entry["sha256"]) for entry in json.loads(path.read_bytes())["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no certificate ({type(error).__name__}: {error})") from None
    for file, expected in zip(files, certified, strict=False):
        if not file.is_file():
            raise BadInput(f"{file} does not exist: {files[0].name} was certified with it")
        if sha256(file) != expected:
            raise BadInput(
                f"{file} is not the file that {path.name} was written for: it has changed since, or"
                " did not arrive whole; export it again, or remove the certificate if the change"
                " is meant"
            )
