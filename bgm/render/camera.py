"""The camera: from full figure to head, any lens, defocus and motion blur."""

import math

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from bgm.render.meshes import add_object
from bgm.render.plan import Stream

SENSOR = 36.0  # mm: width of the sensor that focal lengths are given for
# What of a person the frame shows, metres above and below the eyes of somebody 1.75 m tall.
FRAMES = {
    "head": (-0.26, 0.2),
    "bust": (-0.48, 0.24),
    "waist": (-0.8, 0.27),
    "knees": (-1.15, 0.29),
}


def frame(
    draw: Stream, shot: str, low: NDArray, high: NDArray, eyes: NDArray, count: int
) -> tuple[NDArray, float]:
    """(middle, extent in metres) of what the camera looks at.

    low, high: corners of the box around everybody; eyes (3,): of the first person; count: people.
    """
    room, shift = draw.uniform((1.0, 1.22)), draw.normal(0.06)
    middle = np.array([eyes[0], eyes[1] + 0.08, 0.0])
    scale = (high[2] - low[2]) / 1.75
    if scale < 0.75:  # an animal: its head is large for its height
        scale = 0.25 + 0.7 * scale
    if count > 1:
        middle = (low + high) / 2
    if shot == "full":
        bottom, top = low[2] - 0.05, high[2] + 0.06
        middle = (low + high) / 2
        wide = high[0] - low[0] + 0.1
    else:
        below, above = FRAMES[shot]
        bottom, top = eyes[2] + below * scale, eyes[2] + above * scale
        wide = 0.0 if count == 1 else 0.8 * (high[0] - low[0])
    extent = max(top - bottom, wide) * room
    middle = middle + np.array([shift * extent, 0.0, 0.0])
    middle[2] = (bottom + top) / 2 + 0.3 * shift * extent
    return middle, extent


def add_camera(
    draw: Stream, middle: NDArray, extent: float, focus: NDArray, options: dict
) -> tuple[bpy.types.Object, dict]:
    """A camera that sees `extent` metres around middle; returns it and what it is like.

    options: "defocus", the share of pictures with a shallow depth of field; "indoors", whether
    there are walls.
    """
    lens = math.exp(draw.uniform((math.log(28), math.log(120))))
    turned, spread, around = draw.chance(0.88), draw.normal(32), draw.uniform((-180, 180))
    up, roll = draw.normal(8) + 2, draw.normal(2.5)
    blurred, stop = draw.chance(options["defocus"]), draw.uniform((1.2, 4.0))
    if options["indoors"]:  # the room is open behind the camera, and not deep
        lens, turned, spread = 24 + 0.25 * (lens - 28), True, float(np.clip(spread, -24, 24))
        up = float(np.clip(up, -6, 12))
    angle = math.radians(spread if turned else around)
    rise = math.radians(float(np.clip(up, -22, 32)))
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width = lens, SENSOR
    away = np.array(
        [math.sin(angle) * math.cos(rise), -math.cos(angle) * math.cos(rise), math.sin(rise)]
    )
    where = middle + extent * lens / SENSOR * away
    camera = add_object("camera", data)
    camera.location = where
    camera.rotation_euler = Vector(middle - where).to_track_quat("-Z", "Y").to_euler()
    camera.rotation_euler.rotate_axis("Z", math.radians(roll))
    if blurred:
        data.dof.use_dof = True
        data.dof.focus_distance = float(np.linalg.norm(focus - where))
        data.dof.aperture_fstop = stop
    bpy.context.scene.camera = camera
    said = {"lens": round(lens, 1), "turned": round(math.degrees(angle)), "rise": round(up)}
    if blurred:
        said["f-stop"] = round(stop, 1)
    return camera, said | {"angle": angle}


def add_motion(draw: Stream, root: bpy.types.Object, share: float, extent: float) -> float:
    """Motion blur: the subject moves and turns while the shutter is open; returns metres."""
    moves, amount = draw.chance(share), draw.uniform((0.01, 0.06)) * extent
    way, turn = draw.rng.normal(size=3), draw.normal(0.05)
    if not moves:
        return 0.0
    way = way * np.array([1, 0.2, 0.5])
    way = way / np.linalg.norm(way) * amount
    scene = bpy.context.scene
    start, spin = np.array(root.location), root.rotation_euler[2]
    for number, sign in ((0, -1), (2, 1)):
        root.location = start + sign * way
        root.rotation_euler[2] = spin + sign * turn
        root.keyframe_insert("location", frame=number)
        root.keyframe_insert("rotation_euler", frame=number)
    scene.frame_set(1)
    scene.render.use_motion_blur = True
    scene.render.motion_blur_shutter = 0.5
    return round(amount, 3)
