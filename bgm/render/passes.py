"""Two passes over one scene: colour with few samples, opacity with many."""

import tempfile
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from bgm.render.materials import OPACITY

Pass = NDArray[np.float32]


def prepare(size: tuple[int, int], seed: int) -> None:
    """Cycles on one thread, size = (height, width), transparent where nothing is."""
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.threads_mode, render.threads = "FIXED", 1
    render.resolution_y, render.resolution_x = size
    render.film_transparent = True
    render.use_persistent_data = True  # the second pass finds the scene built
    cycles.device, cycles.seed = "CPU", seed
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 5, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 4, 12
    cycles.sample_clamp_direct, cycles.sample_clamp_indirect = 8.0, 3.0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 2
    scene.view_settings.view_transform = "Raw"
    settings = render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"


def colour(samples: int) -> tuple[Pass, Pass]:
    """(denoised, noisy), each (H, W, 4), linear and premultiplied."""
    scene = bpy.context.scene
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = True
    scene.cycles.denoiser = "OPENIMAGEDENOISE"
    scene.cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    # The accurate prefilter and the highest quality take three times as long, for no visible gain.
    scene.cycles.denoising_prefilter, scene.cycles.denoising_quality = "FAST", "BALANCED"
    layer = scene.view_layers[0]
    layer.material_override = None
    layer.cycles.denoising_store_passes = True
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    with tempfile.TemporaryDirectory() as folder:
        files = tree.nodes.new("CompositorNodeOutputFile")
        files.base_path = folder
        files.format.file_format, files.format.color_mode = "OPEN_EXR", "RGBA"
        files.format.color_depth = "32"
        files.file_slots.clear()
        for name, output in (("clean", "Image"), ("noisy", "Noisy Image")):
            files.file_slots.new(name)
            tree.links.new(layers.outputs[output], files.inputs[name])
        bpy.ops.render.render()
        clean, noisy = (read_exr(next(Path(folder).glob(f"{n}*.exr"))) for n in ("clean", "noisy"))
    scene.use_nodes = False
    return clean, noisy


def opacity(samples: int) -> Pass:
    """(H, W): how much each pixel is covered; glass and thin cloth count by their opacity."""
    scene = bpy.context.scene
    layer = scene.view_layers[0]
    layer.cycles.denoising_store_passes = False
    scene.cycles.samples = samples
    # Everything shines white in this pass, so that its noise is that of alpha: pixels that are all
    # in or all out after 32 samples need no more.
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold, scene.cycles.adaptive_min_samples = 0.02, 32
    scene.cycles.use_denoising = False
    before = [(slot, slot.material) for made in scene.objects for slot in made.material_slots]
    for slot, material in before:
        slot.material = flat(float(material.get(OPACITY, 1.0)) if material else 1.0)
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = f"{folder}/alpha.exr"
        bpy.ops.render.render(write_still=True)
        found = read_exr(Path(scene.render.filepath))[..., 3]
    for slot, material in before:
        slot.material = material
    return found


def flat(opaque: float) -> bpy.types.Material:
    """A material that shines by itself and lets (1 - opaque) of what is behind it through."""
    name = f"opaque {opaque:.3f}"
    if name in bpy.data.materials:
        return bpy.data.materials[name]
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output, shine = (tree.nodes.new(f"ShaderNode{k}") for k in ("OutputMaterial", "Emission"))
    surface = shine.outputs[0]
    if opaque < 1:
        through, mixed = (
            tree.nodes.new(f"ShaderNode{k}") for k in ("BsdfTransparent", "MixShader")
        )
        mixed.inputs[0].default_value = opaque
        tree.links.new(through.outputs[0], mixed.inputs[1])
        tree.links.new(surface, mixed.inputs[2])
        surface = mixed.outputs[0]
    tree.links.new(surface, output.inputs[0])
    material.cycles.emission_sampling = "NONE"  # else every triangle is sorted in as a lamp
    return material


def read_exr(path: Path) -> Pass:
    """An EXR file as (H, W, 4) float32, the first row on top."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "PREMUL"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1].copy()
