"""Where the configs and the scripts lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def conf_dir() -> str:
    """The folder of YAML files: beside the package in a checkout, inside it in a wheel."""
    beside = PACKAGE.parent / "conf"
    return str(
        beside if beside.is_dir() and (PACKAGE.parent / "train.py").is_file() else PACKAGE / "conf"
    )


def script_path(name: str) -> Path:
    """A script: beside the package in a checkout, inside it in a wheel."""
    beside = PACKAGE.parent / f"{name}.py"
    return beside if (PACKAGE.parent / "conf").is_dir() else PACKAGE / "scripts" / f"{name}.py"
