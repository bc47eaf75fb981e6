"""Networks that come with the package, and those of the Hub: names in the place of files."""

from pathlib import Path

from bgm.paths import place
from bgm.weights.hub_files import HUB, hub_file


def folder() -> Path:
    """Where they lie: beside the package in a checkout, inside it in a wheel."""
    return place("weights", "shipped")


def shipped() -> list[str]:
    """Their names, as `bgm.load` takes them."""
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def weights_file(path: str | Path) -> Path:
    """path, or the file of the network of that name; a file of one's own comes first.

    "hf:owner/name" is downloaded, see `bgm.weights.hub_files.hub_file`.
    """
    path = Path(path)
    if str(path).startswith(HUB) and not path.exists():
        return hub_file(str(path))
    is_name = path.name == str(path) and not path.exists() and path.name in shipped()
    return folder() / f"{path.name}.safetensors" if is_name else path
