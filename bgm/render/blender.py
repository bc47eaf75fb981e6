"""The Blender side: builds each picture's scene and writes its passes; runs where bpy is."""

import json
import math
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from bgm.render import VERSION, camera, lighting, materials, passes
from bgm.render.animals import add_animal
from bgm.render.landmarks import Body, Landmarks
from bgm.render.persons import add_person
from bgm.render.plan import Stream, plan
from bgm.render.plants import add_plant
from bgm.render.rooms import add_room

CLOSE = {"full": 0.15, "knees": 0.35, "waist": 0.6, "bust": 0.9, "head": 1.0}


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def build(planned: dict, job: dict, marks: Landmarks, maps: list[Path]) -> tuple[dict, list]:
    """Build the scene of one planned picture; returns what is in it, and everybody's root."""
    seed, index, ranges = planned["seed"], planned["index"], job["ranges"]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    said = {key: planned[key] for key in ("seed", "index", "kind", "shot")} | {"version": VERSION}
    close = CLOSE[planned["shot"]]
    boxes, heads, people = [], [], []
    place = Stream(seed, index, "place")
    palette = palette_of(job, seed, index)
    said["palette"] = bool(palette)
    for person in planned["people"]:
        number = person["number"]
        body = Body(Path(job["bodies"]) / f"{index:06d}-{number}.npz", marks)
        stream = Stream(seed, index, f"person{number}", palette)
        root, head, words = add_person(body, stream, person, close, ranges, job["forced"])
        turn = math.radians(place.normal(18))
        shift = np.array([number * place.uniform((0.4, 0.65)), place.normal(0.12), 0.0])
        if len(planned["people"]) == 1:
            turn, shift = 0.0, np.zeros(3)
        root.location, root.rotation_euler = shift, (0, 0, turn)
        spin = np.array(
            [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]]
        )
        vertices = body.vertices[marks.is_body] @ spin.T + shift
        boxes += [vertices.min(0), vertices.max(0)]
        heads.append(spin @ head.place(0, 0, 0) + shift)
        people.append((root, words | {"pose": person["pose"]}))
    if planned["kind"] == "animal":
        root, box, muzzle, words = add_animal(Stream(seed, index, "animal"), close)
        boxes, heads, people = [*box], [muzzle], [(root, words)]
    elif planned["kind"] == "plant":
        root, box, twig, words = add_plant(Stream(seed, index, "plant", palette))
        boxes, heads, people = [*box], [twig], [(root, words)]
    said["people"] = [words for _, words in people]
    low, high = np.min(boxes, 0), np.max(boxes, 0)
    look = Stream(seed, index, "camera")
    middle, extent = camera.frame(look, planned["shot"], low, high, heads[0], len(heads))
    options = ranges | {"indoors": job["rooms"]}
    _, words = camera.add_camera(look, middle, extent, heads[0], options)
    angle = words.pop("angle")
    said["camera"] = words
    said["map"] = lighting.light_world(Stream(seed, index, "world"), maps)
    if job["rooms"]:
        add_room(Stream(seed, index, "room", palette), maps, float(low[2]) - 0.012, extent)
    else:
        lamps = Stream(seed, index, "lamps")
        said["lamps"] = lighting.add_lamps(lamps, heads[0] - [0, 0, 0.15], angle, 0.6 * extent)
    moving = Stream(seed, index, "motion")
    said["motion"] = camera.add_motion(moving, people[0][0], ranges["motion"], extent)
    return said, [root for root, _ in people]


def palette_of(job: dict, seed: int, index: int) -> list[tuple[float, ...]]:
    """The colours that a share of pictures are held in: those of a place, or some at random."""
    draw = Stream(seed, index, "palette")
    wanted, number = draw.chance(job["ranges"]["palette"]), int(draw.rng.integers(1 << 30))
    own = [tuple(c ** (1 / 2.2) for c in materials.dye(draw)) for _ in range(4)]
    if not wanted:
        return []
    given = job["palettes"]
    return given[number % len(given)] if given else own


def room_passes(roots: list[bpy.types.Object], draw: Stream, job: dict) -> dict[str, np.ndarray]:
    """The empty room as the plate shows it, and with the shadows of those who stand in it.

    Leaves the room as a holdout: the passes that follow have the people alone, lit by the room.
    """
    people = [made for root in roots for made in root.children_recursive]
    room = [
        made
        for made in bpy.context.scene.objects
        if made not in people and made.type in ("MESH", "CURVE", "CURVES")
    ]
    scene = bpy.context.scene
    scene.render.film_transparent = False
    moved, metres = draw.chance(job["ranges"]["plate_moved"]), job["ranges"]["plate_move"]
    shift = draw.rng.normal(0, metres, 3) * moved
    tilt = draw.rng.normal(0, 0.12 * metres, 3) * moved
    for made in people:
        made.hide_render = True
    eye = scene.camera
    where, aim = eye.location.copy(), eye.rotation_euler.copy()
    eye.location = where + Vector(shift)
    eye.rotation_euler = [a + t for a, t in zip(aim, tilt, strict=True)]
    plate = passes.colour(2 * job["samples"])[0]
    eye.location, eye.rotation_euler = where, aim
    for made in people:
        made.hide_render, made.visible_camera = False, False
    shadowed = passes.colour(2 * job["samples"])[0]
    for made in people:
        made.visible_camera = True
    for made in room:
        made.is_holdout = True
    scene.render.film_transparent = True
    return {"plate": plate[..., :3], "shadowed": shadowed[..., :3]}


def picture(index: int, job: dict, marks: Landmarks, maps: list[Path], work: Path) -> None:
    """Render one picture's passes into work/INDEX.npz."""
    started, wall = cpu_seconds(), time.monotonic()
    planned = plan(job["seed"], index, job["ranges"], job["forced"])
    said, roots = build(planned, job, marks, maps)
    built = cpu_seconds()
    passes.prepare(tuple(job["size"]), index)
    found: dict[str, Any] = {}
    if job["rooms"]:
        found = room_passes(roots, Stream(job["seed"], index, "plate"), job)
    found["clean"], found["noisy"] = passes.colour(job["samples"])
    coloured = cpu_seconds()
    found["alpha"] = passes.opacity(job["alpha_samples"])
    done = cpu_seconds()
    said["cpu_s"] = round(done - started, 2)
    said["build_s"], said["colour_s"] = round(built - started, 2), round(coloured - built, 2)
    said["alpha_s"], said["wall_s"] = round(done - coloured, 2), round(time.monotonic() - wall, 1)
    said["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    partial = work / f".{index:06d}.part.npz"
    np.savez(partial, said=json.dumps(said), **found)
    partial.replace(work / f"{index:06d}.npz")


def main(job_path: str) -> None:
    """Render every picture of a job; one that fails leaves its error in work/INDEX.txt."""
    job = json.loads(Path(job_path).read_text())
    work = Path(job["work"])
    marks = Landmarks(Path(job["bodies"]) / "common.npz")
    maps = lighting.hdr_maps(job["maps"])
    for index in job["indices"]:
        print(json.dumps({"started": index}), flush=True)
        try:
            picture(index, job, marks, maps, work)
        except Exception:
            (work / f"{index:06d}.txt").write_text(traceback.format_exc())
        print(json.dumps({"done": index}), flush=True)


if __name__ == "__main__":
    main(sys.argv[-1])
