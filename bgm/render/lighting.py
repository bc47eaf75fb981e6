"""Light: an HDR map turned at random, and lamps of several kinds."""

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from bgm.render.materials import linear
from bgm.render.meshes import add_object
from bgm.render.plan import Stream

LEFT_OUT = ("night",)  # street lamps: nobody is lit by them alone


def hdr_maps(folder: str | None) -> list[Path]:
    """HDR maps that Blender brings and those of a folder, sorted by name."""
    own = Path(bpy.utils.resource_path("LOCAL")) / "datafiles/studiolights/world"
    found = list(own.glob("*.exr"))
    if folder:
        found += [*Path(folder).glob("*.exr"), *Path(folder).glob("*.hdr")]
    found = [path for path in found if path.stem not in LEFT_OUT]
    return sorted(found, key=lambda path: (path.name, str(path)))


def light_world(draw: Stream, maps: list[Path], strength: float = 1.0) -> str:
    """An HDR map around everything, or now and then a plain sky; returns its name."""
    scene = bpy.context.scene
    world = scene.world = bpy.data.worlds.new("world")
    world.use_nodes = True
    tree = world.node_tree
    background = tree.nodes["Background"]
    chosen = maps[int(draw.rng.integers(len(maps)))]
    turn, amount = draw.uniform((0, 2 * math.pi)), draw.uniform((0.7, 1.3))
    plain, tint = draw.chance(0.08), linear(draw.uniform((0, 1)), draw.uniform((0, 0.2)), 1)
    world.cycles.sampling_method = "MANUAL"  # the automatic map size costs seconds a picture
    world.cycles.sample_map_resolution = 256
    if plain:
        background.inputs[0].default_value = (*tint, 1)
        background.inputs[1].default_value = 0.5 * amount * strength
        return "plain"
    image = tree.nodes.new("ShaderNodeTexEnvironment")
    image.image = bpy.data.images.load(str(chosen))
    pixels = np.empty(image.image.size[0] * image.image.size[1] * 4, np.float32)
    image.image.pixels.foreach_get(pixels)
    # Maps differ by a factor of 30 in brightness: all are brought to one mean, suns cut off.
    mean = float(np.minimum(pixels.reshape(-1, 4)[:, :3], 20).mean())
    mapping, where = tree.nodes.new("ShaderNodeMapping"), tree.nodes.new("ShaderNodeTexCoord")
    mapping.inputs["Rotation"].default_value = (0, 0, turn)
    tree.links.new(where.outputs["Generated"], mapping.inputs[0])
    tree.links.new(mapping.outputs[0], image.inputs[0])
    tree.links.new(image.outputs[0], background.inputs[0])
    background.inputs[1].default_value = 0.7 * amount * strength / max(mean, 0.05)
    return chosen.stem


def add_lamp(
    where: NDArray, towards: NDArray, size: float, power: float, colour: tuple[float, float, float]
) -> None:
    """An area lamp of size metres and power watts."""
    data = bpy.data.lights.new("lamp", "AREA")
    data.size, data.energy, data.color = size, power, colour
    lamp = add_object("lamp", data)
    lamp.location = where
    lamp.rotation_euler = Vector(towards - where).to_track_quat("-Z", "Y").to_euler()


def add_lamps(draw: Stream, target: NDArray, camera_angle: float, distance: float) -> str:
    """Lamps around the target: none, a soft key, a ring of three, a rim from behind, a hard one."""
    kind = draw.choose({"none": 3, "key": 3, "three": 2, "rim": 1.5, "hard": 1})
    side, warm, cold = draw.sign(), draw.uniform((0, 0.35)), draw.uniform((0, 0.25))
    spread, height = draw.uniform((0.3, 1.1)), draw.uniform((0.1, 0.9))
    power, size = draw.uniform((0.5, 1.4)), draw.uniform((0.4, 1.4))
    tinted, hue = draw.chance(0.06), draw.uniform((0, 1))

    def put(angle: float, up: float, watts: float, metres: float, colour: tuple) -> None:
        away = np.array(
            [math.sin(angle) * math.cos(up), -math.cos(angle) * math.cos(up), math.sin(up)]
        )
        reach = 1.2 + distance
        add_lamp(target + away * reach, target, metres, watts * reach**2, colour)

    key = linear(hue, 0.5, 1) if tinted else linear(0.09, warm, 1)
    if kind == "key":
        put(camera_angle + side * spread, height, 22 * power, size, key)
    elif kind == "three":
        put(camera_angle + side * spread, height, 18 * power, size, key)
        put(camera_angle - side * 1.0, 0.2, 6 * power, 1.5, linear(0.6, cold, 1))
        put(camera_angle + side * 2.6, 0.7, 18 * power, 0.5, linear(0.1, warm, 1))
    elif kind == "rim":
        put(camera_angle + side * 2.5, 0.5, 40 * power, 0.6, linear(0.6, cold, 1))
        put(camera_angle - side * 2.7, 0.6, 25 * power, 0.6, key)
    elif kind == "hard":
        put(camera_angle + side * spread, height, 22 * power, 0.08, key)
    return kind
