"""Regions of the template body: where hair grows, where sleeves and hems are cut, the eyes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Landmarks:
    """What all bodies share, from common.npz; positions are metres in the template.

    template (V, 3); faces: part -> (F, 4); bones: name -> index; heads (bones, 3).
    """

    def __init__(self, path: Path) -> None:
        stored = dict(np.load(path))
        self.template = stored["template"].astype(float)
        self.heads = stored["bone_heads"].astype(float)
        self.bones = {str(name): i for i, name in enumerate(stored["bone_names"])}
        self.faces = {
            key.removeprefix("faces_"): stored[key] for key in stored if key.startswith("faces_")
        }
        self.is_body = np.zeros(len(self.template), bool)
        self.is_body[np.unique(self.faces["body"])] = True
        eyes = self.template[np.unique(self.faces["eyes"])]
        self.eyes = np.array([0, eyes[:, 1].min(), eyes[:, 2].mean()])  # between the pupils
        self._arms()
        self.belt = float(self.bone("spine05")[2]) + 0.08
        self.ankle = float(self.bone("foot.L")[2])
        self.knee = float(self.bone("lowerleg01.L")[2])
        self.crotch = float(self.bone("upperleg01.L")[2]) - 0.06
        self.neck = self.bone("neck01")
        self._head()

    def bone(self, name: str) -> Array:
        """Where a bone begins in the template."""
        return self.heads[self.bones[name]]

    def _arms(self) -> None:
        """arm: 0 shoulder, 1 elbow, 2 wrist; off_arm: metres from the bones."""
        self.left = float(np.sign(self.bone("wrist.L")[0]))
        mirror = np.array([self.left, 1, 1])
        shoulder, elbow, wrist = (
            self.bone(name) * mirror for name in ("upperarm01.L", "lowerarm01.L", "wrist.L")
        )
        folded = np.c_[np.abs(self.template[:, 0]), self.template[:, 1:]]

        def along(start: Array, end: Array, extend: float) -> tuple[Array, Array]:
            length = np.linalg.norm(end - start)
            axis = (end - start) / length
            share = ((folded - start) @ axis) / length
            near = start + np.clip(share, 0, extend)[:, None] * (end - start)
            return share, np.linalg.norm(folded - near, axis=1)

        upper, off_upper = along(shoulder, elbow, 1.0)
        lower, off_lower = along(elbow, wrist, 2.0)
        self.arm = np.where(upper < 1, upper, np.maximum(1.0, 1 + lower))
        self.off_arm = np.minimum(off_upper, off_lower)

    def _head(self) -> None:
        """scalp, beard, moustache and brow as masks; up and back are metres from the eyes."""
        x = np.abs(self.template[:, 0])
        self.up = up = self.template[:, 2] - self.eyes[2]
        self.back = back = self.template[:, 1] - self.eyes[1]
        hairline = np.interp(
            back,
            [0, 0.03, 0.06, 0.085, 0.12, 0.15, 0.2],
            [0.075, 0.062, 0.045, 0.032, -0.005, -0.045, -0.075],
        )
        ears = (x > 0.074) & (up < 0.03) & (back < 0.125)
        body = self.is_body
        self.scalp = body & (up > hairline) & (back > 0.012) & ~ears
        # How far inside the hairline, metres: hair is short and thin at its border.
        self.inside_hairline = up - hairline
        jaw = np.interp(x, [0, 0.025, 0.04, 0.07], [-0.088, -0.07, -0.062, -0.035])
        self.beard = body & (up < -0.045) & (up > -0.135) & (back < 0.085) & (back > -0.03)
        self.beard &= up < jaw
        self.moustache = body & (up < -0.055) & (up > -0.069) & (x < 0.028) & (back < 0.02)
        self.brow = body & (up > 0.014) & (up < 0.026) & (x > 0.012) & (x < 0.055) & (back < 0.022)
        lip = 0.026 * np.sqrt(np.clip(1 - ((up + 0.0755) / 0.0145) ** 2, 0, None))
        self.lips = body & (up < -0.064) & (up > -0.087) & (x < lip) & (back < 0.03)


class Body:
    """One posed body: vertices (V, 3) as posed, rest (V, 3) as shaped, the motion of each bone."""

    def __init__(self, path: Path, marks: Landmarks) -> None:
        import json

        stored = np.load(path)
        self.marks = marks
        self.vertices = stored["vertices"].astype(float)
        self.rest = stored["rest_vertices"].astype(float)
        self.phenotype = json.loads(str(stored["phenotype"]))
        self.poses = stored["bone_poses"].astype(float)
        self.rest_poses = stored["rest_bone_poses"].astype(float)
        self.female = self.phenotype["gender"] > 0.5
        self.normals = vertex_normals(self.vertices, marks.faces["body"])

    def motion(self, bone: str) -> Array:
        """4x4: from the rest shape to the pose, as this bone moves."""
        i = self.marks.bones[bone]
        return self.poses[i] @ np.linalg.inv(self.rest_poses[i])

    def joint(self, bone: str) -> Array:
        """Where a bone begins in the pose."""
        return self.poses[self.marks.bones[bone], :3, 3]


def vertex_normals(vertices: Array, faces: NDArray[np.int32]) -> Array:
    """Unit normals of the vertices of quads, by area; zero where no face is."""
    diagonal = vertices[faces[:, 2]] - vertices[faces[:, 0]]
    normal = np.cross(diagonal, vertices[faces[:, 3]] - vertices[faces[:, 1]])
    # A triangle repeats its last corner: its second diagonal is an edge, the direction is the same.
    total = np.zeros_like(vertices)
    for corner in range(4):
        np.add.at(total, faces[:, corner], normal)
    return unit(total)


def unit(x: Array) -> Array:
    """Vectors of length one along the last axis; zero stays zero."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 at low, 1 at high, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(points: Array, rng: np.random.Generator, frequency: float, waves: int = 12) -> Array:
    """Smooth noise (N, 3) of about unit variance at points (N, 3): a sum of plane waves."""
    k = rng.normal(size=(waves, 3)) * frequency
    phase = rng.uniform(0, 2 * np.pi, waves)
    return np.sin(points @ k.T + phase) @ (rng.normal(size=(waves, 3)) * np.sqrt(2 / waves))
