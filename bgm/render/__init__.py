"""Rendered subjects: plans, bodies, clothes, hair and light, joined to straight RGBA pictures.

Modules here run in three environments: `anny_bodies` and `poses` where anny and torch are,
those that import `bpy` where Blender is, all others everywhere. None imports torch's side of bgm.
"""

VERSION = 4  # of the generator: the same seed and version make the same picture
