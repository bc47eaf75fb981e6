"""The console command `bgm`: the four scripts, and what is not worth one."""

import importlib
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from bgm.extras import missing_extra
from bgm.paths import conf_dir, script_path

SCRIPTS = ("train", "eval", "export", "predict")
COMMANDS = ("demo", "matrix", "report", "show")  # modules with main(arguments)
# Modules with main(config), over conf/COMMAND.yaml.
CONFIGURED = ("blend", "compose", "doctor", "pack", "release", "render", "serve")
OWN_SIGNALS = ("render", "serve")  # they say what a signal means; the rest starts again
AGAIN = "the same command starts again"
USAGE = """usage: bgm COMMAND ...

  bgm train experiment=...     the same as python train.py ...; likewise eval, export, predict
  bgm show FILE                what a checkpoint or an exported file is
  bgm doctor data=... data_root=...         what is wrong with the data, before training finds out
  bgm pack data=... data_root=... out=...   the same data as tar shards, for network disks
  bgm compose benchmark=...    write a benchmark's scenes, or check them (check=FOLDER)
  bgm render out=FOLDER count=100           people with true alpha, rendered with Blender
  bgm report A.json B.json out=FILE.html    scores in one HTML file; several runs are compared
  bgm matrix                   try how networks export, write docs/export-matrix.md and .csv
  bgm blend before=FILE after=FILE out=NAME.safetensors  weights between two networks
  bgm release ckpt=FILE out=NAME.safetensors  a network to give away, in half the bytes
  bgm serve                    a page to try a network on, at 127.0.0.1 (extra: serve)
  bgm demo                     train, score, export and matte, in minutes, on people that it has
  bgm --version
"""


def main() -> None:
    """Run one subcommand with the rest of the command line."""
    command, *rest = sys.argv[1:] or ["--help"]
    if command in SCRIPTS:
        path = script_path(command)
        sys.argv = [str(path), *rest]
        with one_sentence():
            runpy.run_path(str(path), run_name="__main__")
    elif command in ("-h", "--help", "help"):
        print(USAGE, end="")
    elif command == "--version":
        import bgm

        print(bgm.__version__)
    elif command in COMMANDS + CONFIGURED:
        with one_sentence():
            run(command, rest)
    else:
        print(f"error: bgm has no command {command!r}\n{USAGE}", end="", file=sys.stderr)
        raise SystemExit(1)


@contextmanager
def one_sentence() -> Iterator[None]:
    """End with one sentence where an import misses a package that an extra brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (sentence := missing_extra(error)) is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        raise SystemExit(1) from None


def run(command: str, rest: list[str]) -> None:
    """Run bgm/cli/COMMAND.py; its imports wait until here: torch takes seconds, not for --help."""
    import hydra
    from omegaconf import DictConfig

    from bgm.cli.launch import command_line, errors_as_sentences
    from bgm.cli.word_kinds import check_kinds
    from bgm.pictures import limit_megapixels
    from bgm.signals import StopOnSignal

    body = importlib.import_module(f"bgm.cli.{command}").main
    signals = nullcontext() if command in OWN_SIGNALS else StopOnSignal(AGAIN)

    def task(cfg: DictConfig) -> None:
        with errors_as_sentences():
            check_kinds(cfg)
            limit_megapixels(cfg.get("max_megapixels"))
            with signals:
                body(cfg)

    if command in CONFIGURED:
        sys.argv = [f"bgm {command}", *rest]
        with command_line():
            hydra.main(conf_dir(), command, version_base="1.3")(task)()
    else:
        with errors_as_sentences(), signals:
            body(rest)
