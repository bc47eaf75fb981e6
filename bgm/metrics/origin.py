"""Where numbers come from: versions of what computed them, and the machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = {"bgm": "bgm", "torch": "torch", "numpy": "numpy", "opencv": "opencv-python-headless"}


def versions() -> dict[str, str]:
    """Installed versions of what computes the numbers; "none" where a package has no record."""
    found = {}
    for name, package in PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def hardware() -> dict[str, str]:
    """The processor, the cores this process may use, and the system; no host name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": _processor() or platform.machine(),
        "cores": str(cores),
        "system": f"{platform.system()}, Python {platform.python_version()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not on Linux
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
