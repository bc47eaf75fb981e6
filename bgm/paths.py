"""Where the configs and the scripts lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def place(beside: str, inside: str) -> Path:
    """A file or folder: beside the package in a checkout, in a wheel inside it by another name."""
    checkout = (PACKAGE.parent / "conf").is_dir() and (PACKAGE.parent / "train.py").is_file()
    return PACKAGE.parent / beside if checkout else PACKAGE / inside


def conf_dir() -> str:
    """The folder of YAML files."""
    return str(place("conf", "conf"))


def script_path(name: str) -> Path:
    """A script of the command line."""
    return place(f"{name}.py", f"scripts/{name}.py")
