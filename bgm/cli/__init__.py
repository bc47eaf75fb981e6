"""The console command `bgm`: the four scripts, and what is not worth one."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

SCRIPTS = ("train", "eval", "export", "predict")
USAGE = """usage: bgm COMMAND ...

  bgm train experiment=...     the same as python train.py ...; likewise eval, export, predict
  bgm show FILE                what a checkpoint or an exported file is
  bgm matrix ckpt=FILE         try every export, write docs/export-matrix.md and .csv
  bgm demo                     train, score, export and matte on procedural data, in minutes
  bgm --version
"""


def script_path(name: str) -> Path:
    """A script: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / f"{name}.py"
    return beside if (package.parent / "conf").is_dir() else package / "scripts" / f"{name}.py"


def main() -> None:
    """Run one subcommand with the rest of the command line."""
    command, *rest = sys.argv[1:] or ["--help"]
    if command in SCRIPTS:
        path = script_path(command)
        sys.argv = [str(path), *rest]
        runpy.run_path(str(path), run_name="__main__")
    elif command in ("-h", "--help", "help"):
        print(USAGE, end="")
    elif command == "--version":
        import bgm

        print(bgm.__version__)
    elif command in ("show", "demo", "matrix"):
        run_body(command, rest)
    else:
        print(f"error: bgm has no command {command!r}\n{USAGE}", end="", file=sys.stderr)
        raise SystemExit(1)


def run_body(command: str, rest: list[str]) -> None:
    from bgm.cli import demo, matrix, show  # torch takes seconds to import: not for --help
    from bgm.cli.launch import guarded

    bodies: dict[str, Callable[[list[str]], None]] = {
        "show": show.main,
        "demo": demo.main,
        "matrix": matrix.main,
    }
    guarded(bodies[command])(rest)
