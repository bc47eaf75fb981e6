"""Bodies in their poses, made with anny and written as .npz; runs where anny and torch are.

What anny calls topology "makehuman" has MakeHuman's helper geometry (tights, skirt, eyes, lashes,
teeth) among its 19,158 vertices. Bones are placed by 4x4 matrices; front is -y and up is +z.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bgm.render.plan import Stream, person
from bgm.render.poses import pose

ADULT = 0.67  # anny's age of a grown-up; 1.0 is old
# Symmetric changes of a face; those of the left side are found by their name.
FACE = (
    "nose-scale-vert-incr", "nose-scale-horiz-incr", "nose-scale-depth-incr", "nose-hump-incr",
    "nose-curve-convex", "nose-point-up", "nose-width1-incr", "nose-width2-incr",
    "nose-width3-incr", "nose-flaring-incr", "nose-greek-incr", "nose-base-up", "nose-volume-incr",
    "mouth-scale-horiz-incr", "mouth-upperlip-height-incr", "mouth-lowerlip-height-incr",
    "mouth-lowerlip-volume-incr", "mouth-upperlip-volume-incr", "mouth-trans-up",
    "mouth-cupidsbow-incr", "chin-height-incr", "chin-prominent-incr", "chin-width-incr",
    "chin-bones-incr", "chin-cleft-incr", "chin-jaw-drop-incr", "forehead-scale-vert-incr",
    "forehead-temple-incr", "forehead-trans-forward", "head-scale-horiz-incr",
    "head-scale-vert-incr", "head-fat-incr", "head-age-incr", "head-angle-out", "eyebrows-angle-up",
    "eyebrows-trans-up", "l-cheek-bones-incr", "l-cheek-volume-incr", "l-cheek-inner-incr",
    "l-eye-scale-incr", "l-eye-trans-out", "l-eye-trans-up", "l-eye-corner1-up", "l-eye-corner2-up",
    "l-eye-height2-incr", "l-eye-bag-incr", "l-ear-scale-incr", "l-ear-wing-incr",
    "neck-double-incr",
)  # fmt: skip
PARTS = {
    "body": ("body",),
    "tights": ("helper-tights",),
    "skirt": ("helper-skirt",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
}


def faces_by_group(obj: Path) -> dict[str, list[list[int]]]:
    """Quads of every group of MakeHuman's base.obj; a triangle repeats its last corner."""
    groups: dict[str, list[list[int]]] = {}
    name = ""
    for line in obj.read_text().splitlines():
        if line.startswith("g "):
            name = line.split()[1]
        elif line.startswith("f "):
            corners = [int(word.split("/")[0]) - 1 for word in line.split()[1:]]
            groups.setdefault(name, []).append(corners + corners[-1:] * (4 - len(corners)))
    return groups


class BodyMaker:
    """anny's model, built once; its first build takes a minute and leaves a cache."""

    def __init__(self) -> None:
        import anny
        import torch

        self.torch = torch
        torch.set_num_threads(1)
        changes = [*FACE, *(name.replace("l-", "r-", 1) for name in FACE if name.startswith("l-"))]
        self.root = Path(anny.__path__[0])
        self.model = anny.Anny(
            rig="makehuman",
            topology="makehuman",
            local_changes=changes,
            facial_actions="all",
            phenotypes="all",
        )
        self.bones = list(self.model.bone_labels)
        self.left = 1.0
        template = self.run({}, self.middle(), {}, {})
        self.template = template["rest_vertices"][0].numpy().astype(np.float32)
        self.heads = template["rest_bone_heads"][0].numpy().astype(np.float32)
        self.left = float(np.sign(self.heads[self.bones.index("wrist.L"), 0]))

    def middle(self) -> dict[str, float]:
        """The phenotype in the middle of everything, grown up."""
        return {**dict.fromkeys(self.model.phenotype_labels, 0.5), "age": ADULT}

    def run(self, rotations: dict, phenotype: dict, changes: dict, actions: dict) -> dict:
        """anny's output for one body, tensors with a leading 1."""
        matrices = self.torch.eye(4, dtype=self.torch.float64).repeat(1, len(self.bones), 1, 1)
        for bone, rotation in rotations.items():
            matrices[0, self.bones.index(bone), :3, :3] = self.torch.from_numpy(
                rotation.as_matrix()
            )
        with self.torch.no_grad():
            return self.model(
                pose_parameters=matrices,
                phenotype_kwargs=phenotype,
                local_changes_kwargs=changes,
                facial_actions=actions,
            )

    def write_common(self, path: Path) -> None:
        """Faces of every part, template vertices and bone heads: what all bodies share."""
        groups = faces_by_group(self.root / "data/mpfb2/3dobjs/base.obj")
        parts = {
            part: np.array([f for name in names for f in groups.get(name, [])], np.int32)
            for part, names in PARTS.items()
        }
        lashes = [f for name in groups if "eyelash" in name for f in groups[name]]
        parts["lashes"] = np.array(lashes, np.int32)
        faces = {f"faces_{part}": faces for part, faces in parts.items() if len(faces)}
        write_npz(
            path,
            template=self.template,
            bone_names=np.array(self.bones),
            bone_heads=self.heads,
            **faces,
        )

    def write_body(self, path: Path, seed: int, index: int, plan: dict, ranges: dict) -> None:
        """One body as its plan says; its shape has a stream of its own, its pose another."""
        name = f"person{plan['number']}"
        shape = Stream(seed, index, f"{name} shape")
        phenotype = self.phenotype(shape, plan["sex"], ranges)
        changes = self.face(Stream(seed, index, f"{name} face"), ranges["face"])
        actions = expression(Stream(seed, index, f"{name} expression"))
        rng = Stream(seed, index, f"{name} pose").rng
        body = self.run(pose(rng, plan["pose"], self.left), phenotype, changes, actions)
        fields = ("vertices", "rest_vertices", "bone_poses", "rest_bone_poses")
        arrays = {key: body[key][0].numpy().astype(np.float32) for key in fields}
        write_npz(path, phenotype=json.dumps(phenotype), **arrays)

    def phenotype(self, draw: Stream, sex: str, ranges: dict) -> dict[str, float]:
        """A grown-up of this sex: build, age and descent at random."""
        found = dict.fromkeys(self.model.phenotype_labels, 0.5)
        rng = draw.rng
        descent = rng.dirichlet([0.5] * 3)
        found.update(zip(("african", "asian", "caucasian"), map(float, descent), strict=True))
        found["gender"] = float(np.clip((sex == "female") + rng.normal(0, 0.06), 0, 1))
        found["age"] = draw.uniform(ranges["age"])
        found["muscle"] = float(rng.beta(3, 3))
        found["weight"] = float(rng.beta(2.5, 2.8))
        found["height"] = float(rng.beta(4, 4))
        found["proportions"] = draw.uniform((0.3, 0.9))
        found["cupsize"] = draw.uniform((0.2, 0.65))
        found["firmness"] = draw.uniform((0.4, 0.8))
        return found

    def face(self, draw: Stream, amount: float) -> dict[str, float]:
        """Changes that make one face differ from another, the same on both sides."""
        found = {}
        for name in FACE:
            value = float(np.clip(draw.normal(amount), -2.2 * amount, 2.2 * amount))
            found[name] = value
            if name.startswith("l-"):
                found[name.replace("l-", "r-", 1)] = value
        return found


def expression(draw: Stream) -> dict[str, float]:
    """Facial actions: a smile, a talking mouth, a look aside, half-closed eyes."""
    smile, jaw = draw.uniform((0, 0.6)), draw.uniform((0, 0.15))
    smiles, talks, looks = draw.chance(0.55), draw.chance(0.3), draw.chance(0.6)
    blink, brow = draw.uniform((0, 0.15)), draw.uniform((0, 0.5))
    aside, up = draw.normal(0.25), draw.normal(0.07)
    both = {"eyeBlink": blink, "eyeSquint": 0.4 * smile * smiles}
    both["mouthSmile"] = smile * smiles
    both["cheekSquint"] = 0.5 * smile * smiles
    found = {f"{name}{side}": value for name, value in both.items() for side in ("Left", "Right")}
    found["jawOpen"] = jaw * talks
    found["browInnerUp"] = brow * 0.5
    if looks:
        away, near = ("Out", "In") if aside > 0 else ("In", "Out")
        found[f"eyeLook{away}Left"] = found[f"eyeLook{near}Right"] = min(abs(aside), 0.8)
        for side in ("Left", "Right"):
            found[f"eyeLook{'Up' if up > 0 else 'Down'}{side}"] = min(abs(up), 0.5)
    return found


def write_npz(path: Path, **arrays: Any) -> None:
    """Write arrays whole or not at all."""
    partial = path.with_name(f".{path.name}.part.npz")
    np.savez(partial, **arrays)
    partial.replace(path)


def main(job_path: str) -> None:
    """Make the bodies of a job that are not there yet."""
    job = json.loads(Path(job_path).read_text())
    folder = Path(job["bodies"])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        (index, number, folder / f"{index:06d}-{number}.npz")
        for index in job["indices"]
        for number in range(2)
    ]
    if (folder / "common.npz").exists() and all(path.exists() for _, _, path in wanted):
        return
    maker = BodyMaker()
    maker.write_common(folder / "common.npz")
    for index, number, path in wanted:
        if not path.exists():
            plan = person(job["seed"], index, number, job["ranges"], job["forced"])
            maker.write_body(path, job["seed"], index, plan, job["ranges"])


if __name__ == "__main__":
    main(sys.argv[-1])
