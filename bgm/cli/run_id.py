"""A name for a run's folder that all its processes find by themselves."""

import os
from datetime import datetime
from pathlib import Path


def run_id() -> str:
    """When the run was started; SLURM's job step where there is one.

    Under torchrun and srun every process starts by itself, fractions of a second apart: they share
    the time at which torchrun started, or the number of the step, which a requeued job keeps.
    """
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    if job and step:
        return f"slurm-{job}-{step}"
    started = datetime.now()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        started = start_of(os.getppid()) or started
    return started.strftime("%Y-%m-%d_%H-%M-%S")


def start_of(pid: int) -> datetime | None:
    """When a process started, where the system tells it."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text().splitlines()
        boot = int(next(line.split()[1] for line in lines if line.startswith("btime ")))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"))
