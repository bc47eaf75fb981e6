"""Runs bodies and Blender as processes, joins their passes, writes pictures whole or not at all."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.errors import BadInput
from bgm.files import atomic_write, write_text
from bgm.render import VERSION, merge

PACKAGE = Path(__file__).resolve().parents[1]
# Puts this package, and nothing else of its environment, on the path of another interpreter.
START = (
    "import runpy, sys, types; package = types.ModuleType('bgm'); "
    "package.__path__ = [sys.argv[1]]; sys.modules['bgm'] = package; sys.argv = sys.argv[1:]; "
    "runpy.run_module({module!r}, run_name='__main__')"
)
LOG = "renders.jsonl"


class Interpreters(NamedTuple):
    """The Python of each environment: one has bpy and scipy, the other anny and torch."""

    blender: str
    body: str


class Options(NamedTuple):
    """What is rendered: seed, first to first + count, (height, width), bits a channel, samples."""

    seed: int
    indices: range
    size: tuple[int, int]
    depth: int
    samples: int
    alpha_samples: int
    per_process: int
    maps: str | None
    rooms: bool
    palettes: list[list[list[float]]]
    ranges: dict[str, Any]
    forced: dict[str, Any]


def check_interpreters(found: Interpreters) -> None:
    """Raise BadInput for an interpreter that is missing or lacks its package."""
    wanted = (
        ("blender_python", found.blender, "bpy", "'bpy==4.5.*' 'numpy<2' scipy"),
        ("body_python", found.body, "anny", "anny torch scipy"),
    )
    for key, path, module, packages in wanted:
        how = (
            f"make an environment (python3.11 -m venv ENV; ENV/bin/pip install {packages}) "
            f"and name its interpreter: {key}=ENV/bin/python (docs/rendering.md)"
        )
        if not path:
            raise BadInput(f"{key} is not set: {how}")
        if shutil.which(path) is None:
            raise BadInput(f"{key}={path} is not a program: {how}")
        probe = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        if subprocess.run([path, "-c", probe], env=environment(), check=False).returncode:
            raise BadInput(f"{key}={path} has no package {module}: {how}")


def environment() -> dict[str, str]:
    """The environment of another interpreter: ours without our packages, one thread."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def name(seed: int, index: int) -> str:
    """The stem of a picture: its seed and its number."""
    return f"{seed:04d}-{index:06d}"


def picture_path(out: Path, options: Options, index: int) -> Path:
    """The file that is written last of a picture: when it is there, the picture is whole."""
    folder = out / "src" if options.rooms else out
    return folder / f"{name(options.seed, index)}.png"


def missing(out: Path, options: Options) -> list[int]:
    """Indices that have no picture and were not left out, those that failed among them."""
    without = [i for i in options.indices if not picture_path(out, options, i).exists()]
    faulty = left_out(out, options)
    return [i for i in without if i not in faulty]


def left_out(out: Path, options: Options) -> set[int]:
    """Indices without a picture of which the log says a fault: they would have it again."""
    entries = (entry for entry in read_log(out) if entry["seed"] == options.seed)
    faulty = {entry["index"] for entry in entries if entry.get("faults")}
    faulty &= set(options.indices)
    return {i for i in faulty if not picture_path(out, options, i).exists()}


def settings(options: Options) -> dict[str, Any]:
    """What a picture follows from beside its seed and number, as plain JSON."""
    found = options._asdict()
    for key in ("seed", "indices", "per_process"):
        del found[key]
    ranges = {f"ranges.{key}": value for key, value in found.pop("ranges").items()}
    colours = json.dumps(found["palettes"]).encode()  # of hundreds of places
    found["palettes"] = hashlib.sha256(colours).hexdigest()[:12] if options.palettes else None
    maps = Path(options.maps).glob("*.*") if options.maps else ()
    found["maps"] = sorted(path.name for path in maps)
    return json.loads(json.dumps(found | ranges))


def settings_path(out: Path, seed: int) -> Path:
    """The file that keeps the settings of a seed's pictures."""
    return out / f"settings-{seed:04d}.json"


def has_pictures(out: Path, seed: int) -> bool:
    """Whether a seed has pictures in the log, those that were left out among them."""
    return any(e["seed"] == seed and "failed" not in e for e in read_log(out))


def check_settings(out: Path, options: Options) -> None:
    """Raise BadInput where the pictures of this seed were made with other settings.

    A seed and a number name one picture: those that are there would be taken for the ones asked
    for, and the others would differ from them. Of what an older bgm rendered nothing is known, and
    of settings that it did not have.
    """
    path = settings_path(out, options.seed)
    if not path.exists() or not has_pictures(out, options.seed):
        return
    then, now = json.loads(path.read_text()), settings(options)
    differ = [f"{k} {then[k]} -> {now.get(k)}" for k in then if then[k] != now.get(k)]
    if differ:
        raise BadInput(
            f"{out} has pictures of seed {options.seed} that were made otherwise: "
            f"{'; '.join(differ)}: give the old values, another seed, or another out=..."
        )


def read_log(out: Path) -> list[dict]:
    """What was rendered into a folder, one entry a picture; a last line that broke off is left."""
    path = out / LOG
    if not path.exists():
        return []
    entries = []
    for line in path.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return entries


def render(
    out: Path, options: Options, interpreters: Interpreters, report: Callable[[dict], None]
) -> int:
    """Render what is missing below out; returns how many pictures were written.

    report gets the log's entry of each picture. Every per_process pictures both programs start
    anew, so that memory stays bounded. A picture that has faults, or during which Blender fails, is
    logged and passed over; one that failed is missing still. Raises BadInput when a program cannot
    be started, and for a seed whose pictures were made with other settings.
    """
    check_settings(out, options)
    out.mkdir(parents=True, exist_ok=True)
    if not has_pictures(out, options.seed):
        text = json.dumps(settings(options), indent=1) + "\n"
        write_text(settings_path(out, options.seed), text)
    written, tried = 0, set[int]()
    while todo := [i for i in missing(out, options) if i not in tried][: options.per_process]:
        with tempfile.TemporaryDirectory(prefix=".work-", dir=out) as folder:
            job = write_job(Path(folder), todo, options)
            call(interpreters.body, "bgm.render.anny_bodies", job)
            for index, passes in blender(interpreters.blender, job):
                tried.add(index)
                entry = finish(out, index, passes, options)
                report(entry)
                written += "file" in entry
    return written


def write_job(folder: Path, indices: list[int], options: Options) -> Path:
    """The file that tells both programs what to do."""
    job = options._asdict() | {
        "indices": indices,
        "work": str(folder),
        "bodies": f"{folder}/bodies",
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return path


def call(python: str, module: str, job: Path) -> None:
    """Run a module of ours in another environment; raises BadInput with its last line."""
    done = subprocess.run(
        [python, "-c", START.format(module=module), str(PACKAGE), str(job)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BadInput(f"{module} failed in {python}: {last}")


def blender(python: str, job: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield (index, passes) as Blender finishes them, or (index, message) for one that failed.

    A picture that ends the program has failed; those after it are left for the next start. Raises
    BadInput when the program ends before it begins with a picture.
    """
    command = [python, "-c", START.format(module="bgm.render.blender"), str(PACKAGE), str(job)]
    log, started, done = job.parent / "blender.log", None, None
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as program,
    ):
        try:
            for line in program.stdout or ():
                if line.startswith('{"started"'):
                    started = json.loads(line)["started"]
                elif line.startswith('{"done"'):
                    done = json.loads(line)["done"]
                    yield done, result(job.parent, done)
        except BaseException:  # stopped: a picture takes a minute, which nobody waits for any more
            program.kill()
            raise
    last = (log.read_text().strip().splitlines() or ["no message"])[-1]
    if started is None:
        raise BadInput(f"bgm.render.blender failed in {python}: {last}")
    if started != done:
        yield started, f"Blender ended with code {program.returncode}"


def result(folder: Path, index: int) -> dict[str, Any] | str:
    """What Blender left of a picture: its passes, or the last line of its error."""
    found = folder / f"{index:06d}.npz"
    if not found.exists():
        return (folder / f"{index:06d}.txt").read_text().strip().splitlines()[-1]
    with np.load(found) as stored:
        passes = {key: stored[key] for key in stored}
    found.unlink()
    return passes


def finish(out: Path, index: int, passes: dict[str, Any] | str, options: Options) -> dict:
    """Join the passes of a picture, write it unless it has a fault, log it; returns the entry."""
    if isinstance(passes, str):
        entry = {"seed": options.seed, "index": index, "version": VERSION, "failed": passes}
    else:
        entry = json.loads(str(passes["said"]))
        inputs = {key: value for key, value in passes.items() if key != "said"}
        inputs["samples"] = options.samples
        path = picture_path(out, options, index)
        gaps = entry["kind"] == "plant"
        if options.rooms:
            scene = merge.scene(**inputs)
            found = merge.faults(np.dstack([scene["fgr"], scene["pha"]]), gaps)
            files = {out / key / path.name: scene[key] for key in ("bgr", "pha", "fgr", "src")}
        else:
            rgba = merge.picture(**inputs)
            found, files = merge.faults(rgba, gaps), {path: rgba}
        if found:
            entry["faults"] = found
        else:
            entry["file"] = str(path.relative_to(out))
            for file, pixels in files.items():
                write_png(file, pixels, options.depth)
    with (out / LOG).open("a") as log:
        log.write(json.dumps(entry) + "\n")
    return entry


def write_png(path: Path, picture: NDArray[np.float32], depth: int) -> None:
    """Write (H, W), (H, W, 3) or (H, W, 4) in [0, 1] as PNG, 8 or 16 bits, whole or not at all."""
    most, kind = {8: (255, np.uint8), 16: (65535, np.uint16)}[depth]
    pixels = np.round(np.clip(picture, 0, 1) * most).astype(kind)
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise BadInput(f"cannot encode {path}")
    with atomic_write(path) as partial:
        partial.write_bytes(data.tobytes())
