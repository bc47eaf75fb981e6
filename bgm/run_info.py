"""Where numbers and weights come from: config, commit, versions, hardware."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

import bgm

PACKAGES = (
    *("torch", "torchvision", "pytorch-lightning", "kornia", "numpy"),
    *("opencv-python-headless", "pillow", "hydra-core"),
)


def describe_run(cfg: DictConfig) -> dict[str, Any]:
    """What a run card says before training starts.

    Plain values only: they go into checkpoints that load without running code.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv[1:]),
        "git": commit(Path(bgm.__file__).resolve().parents[1]),
        "versions": versions(),
        "hardware": hardware(),
        "config": OmegaConf.to_container(cfg, resolve=True),
    }


def commit(root: Path) -> dict[str, Any]:
    """Commit of a checkout, and whether tracked files differ from it; {} for an installed copy."""
    if not (root / ".git").exists():
        return {}
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        *["--always", "--abbrev=40", "--exclude=*", "--dirty"],
    ]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):  # no git, no commit yet, a folder that hangs
        return {}
    head, _, dirty = done.stdout.strip().partition("-")
    return {"commit": head, "dirty": bool(dirty)}


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Of bgm, Python and those packages that are installed."""
    installed = {"bgm": bgm.__version__, "python": platform.python_version()}
    for name in packages:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, GPUs; nothing that names the machine."""
    return {
        "cpu": processor(),
        "cores": cores(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda or "",
    }


def cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(li.partition(":")[2].strip() for li in lines if li.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
