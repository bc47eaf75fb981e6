"""Names in the place of files: networks that come with the package, and those of the Hub."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import bgm
from bgm.errors import BadInput, first_line
from bgm.extras import pip_install
from bgm.paths import place

HUB = "hf:"
MODEL_FILE = "model.safetensors"
NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def hub_file(name: str) -> Path:
    """The weights of "hf:owner/name" or "hf:owner/name@revision" in the Hub's local cache.

    Downloaded when they are not there or are older, unless HF_HUB_OFFLINE is set: safetensors
    only. Raises BadInput, saying which, for what is no name, not there, not allowed or not reached.
    """
    repository, _, revision = name.removeprefix(HUB).partition("@")
    check_name(repository)
    hub = require_hub()
    known = import_module("huggingface_hub.errors")
    try:
        path = hub.hf_hub_download(
            repository,
            MODEL_FILE,
            revision=revision or None,
            library_name="bgm",
            library_version=bgm.__version__,
        )
    except Exception as error:  # of the Hub's client, of its HTTP client and of the system
        why = "HF_HUB_OFFLINE is set" if hub.is_offline_mode() else "the Hub cannot be reached"
        sentences = {  # of an error that is another, too, the first
            "GatedRepoError": "is gated: ask for access on its page, then hf auth login",
            "RepositoryNotFoundError": "is not on the Hub, or private: hf auth login",
            "RevisionNotFoundError": f"has no revision {revision or 'main'}",
            "LocalEntryNotFoundError": f"is not in the local cache and {why}: go online once, "
            "or give a file",
            "EntryNotFoundError": f"has no {MODEL_FILE}: bgm loads nothing else from there",
        }
        of = (said for kind, said in sentences.items() if isinstance(error, getattr(known, kind)))
        sentence = next(of, f"could not be read ({first_line(error)})")
        raise BadInput(f"{name} {sentence}") from None
    return Path(path)


LONGEST = 96  # characters of an owner or a name on the Hub


def check_name(name: str) -> None:
    """Raise BadInput unless name is one of a repository on the Hub."""
    parts = name.split("/")
    strange = any(x in name for x in ("--", "..")) or name.endswith(".git")
    edges = any(x[:1] in "-." or x[-1:] in "-." or len(x) > LONGEST for x in parts)
    if not NAME.fullmatch(name) or strange or edges:
        raise BadInput(f"{HUB}{name} is no name on the Hub, expected {HUB}owner/name")


def require_hub() -> Any:
    """The Hub's client, or BadInput that says how to install it."""
    try:
        return import_module("huggingface_hub")
    except ImportError:
        raise BadInput(f"huggingface_hub is not installed: {pip_install('hub')}") from None


def folder() -> Path:
    """Where they lie: beside the package in a checkout, inside it in a wheel."""
    return place("weights", "shipped")


def shipped() -> list[str]:
    """Their names, as `bgm.load` takes them."""
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def weights_file(path: str | Path) -> Path:
    """path, or the file of the network of that name; a file of one's own comes first.

    "hf:owner/name" is downloaded, see `bgm.weights.named_files.hub_file`.
    """
    if not str(path):
        raise BadInput(f"the name of a network is empty, expected {', '.join(shipped())} or a file")
    path = Path(path)
    if str(path).startswith(HUB) and not path.exists():
        return hub_file(str(path))
    is_name = path.name == str(path) and not path.exists() and path.name in shipped()
    return folder() / f"{path.name}.safetensors" if is_name else path
