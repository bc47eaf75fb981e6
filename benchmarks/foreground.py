"""How clean the foreground is: the network's colour, the unmixed one, and both by confidence.

    python benchmarks/foreground.py [--count 48] [--seed 0] [--model NAME]

The people that come with bgm stand before invented places, mixed in linear light as a lens does,
with noise of 0.4 %, a soft shadow and 3 % of exposure between plate and shot in every second one.
Alpha and colour come from the network. Printed: mean squared error x1e3, in codes of a screen, of
the foreground where true alpha is between 0.05 and 0.95, and of the composite over a place that the
network never saw (true composite: true alpha, true colour), there and in the whole picture.
"""

import argparse

import numpy as np
import torch
from PIL import Image

import bgm
from bgm.colour import srgb_code, srgb_light
from bgm.data.procedural.dataset import Procedural
from bgm.infer.any_size import run_any_size
from bgm.infer.foreground import FOREGROUNDS
from bgm.infer.frame import Frame, Shot
from bgm.infer.models import model_of
from bgm.people import FOLDER

SIZE = 320
BAND = (0.05, 0.95)
NOISE = 0.004


def scenes(count: int, seed: int):
    """Yield (frame, true alpha, true colour in codes, another background in light)."""
    places = Procedural(SIZE, 2 * count, seed + 1000)
    people = sorted(FOLDER.glob("*.webp"))
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        person = Image.open(people[(number * 7 + seed) % len(people)]).convert("RGBA")
        canvas = Image.new("RGBA", (SIZE, SIZE))
        canvas.paste(person, ((SIZE - person.width) // 2, SIZE - person.height))
        rgba = torch.from_numpy(np.array(canvas)).permute(2, 0, 1).float() / 255
        colour, alpha = rgba[:3], rgba[3:]
        plate, other = (srgb_light(places[2 * number + i].bgr / 255) for i in (0, 1))
        behind = plate
        if number % 2:
            x = torch.linspace(0, 1, SIZE)
            shadow = 1 - 0.3 * torch.exp(-(((x - rng.uniform(0.2, 0.8)) / 0.25) ** 2))
            behind = plate * shadow * rng.uniform(0.97, 1.03)
        light = alpha * srgb_light(colour) + (1 - alpha) * behind
        shot, bgr = (
            (srgb_code(x + NOISE * torch.from_numpy(rng.standard_normal(x.shape)).float()) * 255)
            .round()
            .clamp(0, 255)
            .byte()
            for x in (light, plate)
        )
        yield Frame(str(number), Shot(shot), Shot(bgr)), alpha, colour, other


def main(count: int, seed: int, model: str) -> None:
    net = model_of(bgm.load(model, optimize=True))
    rows: dict[str, list[list[float]]] = {name: [] for name in FOREGROUNDS}
    for frame, alpha, colour, other in scenes(count, seed):
        pair = (frame.src.input_on("cpu"), frame.bgr.input_on("cpu"))
        matte = run_any_size(net.net, *pair, scale=net.scale)
        band = (alpha > BAND[0]) & (alpha < BAND[1])
        true = srgb_code(alpha * srgb_light(colour) + (1 - alpha) * other)
        for name, step in FOREGROUNDS.items():
            fgr, pha = step(frame, matte).fgr[0], matte.pha[0]
            com = srgb_code(pha * srgb_light(fgr) + (1 - pha) * other)
            off = (fgr - colour).square().mean(0, keepdim=True)
            com_off = (com - true).square().mean(0, keepdim=True)
            rows[name].append([off[band].mean(), com_off[band].mean(), com_off.mean()])
    print(f"{count} composites, seed {seed}, MSE x1e3: foreground in the band, composite, whole")
    for name, values in rows.items():
        print(f"{name:8}", *(f"{1000 * v:8.3f}" for v in np.array(values).mean(0)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=48, help="composites")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="efficientnet_lite0")
    main(**vars(parser.parse_args()))
