"""What is made of a matte, and what it is laid over."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.colour import KNEE, SRGB, Encoding, convert, to_display
from bgm.console import say
from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Shot, undefined_numbers
from bgm.ops import composite
from bgm.pictures import dropped, read_encoded

Background = Callable[[int, int, Encoding], Tensor]


def open_background(background: str | Path | Sequence[int]) -> Background:
    """Read "#00ff00", "0,255,0" (0..255) or a picture as a function (H, W, encoding) -> (3, H, W).

    [0, 255, 0] is "0,255,0".

    The function returns float32 numbers of the encoding. A colour is sRGB; a picture is what its
    file says, scaled to cover H x W and cropped at its centre. Where an encoding ends at white,
    brighter light comes as a screen shows it, which is said once. Raises BadInput when it is none
    of the three.
    """
    if not isinstance(background, str | Path):
        background = ",".join(str(part) for part in background)
    text = str(background).strip()
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return _colour([int(text[i : i + 2], 16) for i in (1, 3, 5)])
    if re.fullmatch(r"\d+\s*(,\s*\d+\s*){2}", text):
        rgb = [int(part) for part in text.split(",")]
        if max(rgb) > 255:
            raise BadInput(f"background {text}: expected three numbers from 0 to 255")
        return _colour(rgb)
    if not Path(background).is_file():
        raise BadInput(
            f"background {text} is neither a colour (#00ff00 or 0,255,0) nor an existing picture"
        )
    return _picture(background)


def _colour(rgb: list[int]) -> Background:
    value = torch.tensor(rgb, dtype=torch.float32).view(3, 1, 1) / 255
    return lambda H, W, encoding: convert(value, SRGB, encoding).expand(3, H, W)


def _picture(path: str | Path) -> Background:
    shot = Shot.of_finite(*read_encoded(path))
    for sentence in dropped(path):
        say(f"background {path}: {sentence}")
    if shot.undefined:
        say(undefined_numbers(f"background {path}", shot.undefined))
    own, values = shot.encoding, shot.values
    bright = own.high_range or (not own.bounded and bool(values.max() > KNEE))
    sized: dict[tuple[int, int, str, str], Tensor] = {}  # the last only: frames mostly share one
    said = False

    def in_encoding(H: int, W: int, encoding: Encoding) -> Tensor:
        nonlocal said
        key = (H, W, encoding.primaries, encoding.transfer)
        if key in sized:
            return sized[key]
        x, meaning = cover(values, H, W), own
        if encoding.bounded and bright:
            x, meaning = to_display(x, own), SRGB
            if not said:
                said = True
                say(
                    f"background {path}: its light is bent below white as a screen shows it, the "
                    "shot's numbers end there"
                )
        x = convert(x, meaning, encoding)
        sized.clear()
        sized[key] = x.clamp(0, 1) if encoding.bounded else x
        return sized[key]

    return in_encoding


def cover(x: Tensor, H: int, W: int) -> Tensor:
    """Scale (3, h, w) with antialiasing until it covers H x W, then crop the centre."""
    h, w = x.shape[-2:]
    factor = max(H / h, W / w)
    size = [max(round(h * factor), H), max(round(w * factor), W)]
    x = F.interpolate(x[None], size=size, mode="bilinear", antialias=True)[0]
    top, left = (size[0] - H) // 2, (size[1] - W) // 2
    return x[:, top : top + H, left : left + W]


OUTPUTS = ("com", "pha", "fgr", "err", "ref")


def check_outputs(outputs: Iterable[str] | None) -> tuple[str, ...]:
    """The kinds of output, each once, of a list or of "com,pha"; BadInput for none and others."""
    words = outputs.split(",") if isinstance(outputs, str) else outputs or ()
    outputs = tuple(
        dict.fromkeys(word.strip() if isinstance(word, str) else word for word in words)
    )
    unknown = [str(kind) for kind in outputs if kind not in OUTPUTS]
    if unknown or not outputs:
        found = ", ".join(unknown) or "none"
        raise BadInput(f"outputs: found {found}, expected some of {', '.join(OUTPUTS)}")
    return outputs


def for_screen(matte: Matte, encoding: Encoding) -> Matte:
    """The matte with its foreground as a standard screen shows it, in sRGB.

    Before it is laid over a background or multiplied by alpha: mapping HLG or PQ to a screen is no
    linear thing, so that edges would get colours of their own afterwards.
    """
    return matte._replace(fgr=to_display(matte.fgr, encoding))


def render(
    kind: str,
    matte: Matte,
    background: Background | None = None,
    encoding: Encoding = SRGB,
    *,
    levels: int | None = 255,
) -> Tensor:
    """One output of one picture as float (C, H, W), C = 1, 3 or 4 (RGBA).

    matte.fgr is in `encoding`, and so are the colours that come back. `com` without background has
    straight alpha, and no colour where alpha is 0 of `levels`: what was behind the subject must not
    come back when somebody drops the alpha channel.
    """
    pha, fgr = matte.pha[0], matte.fgr[0]
    match kind:
        case "com" if background is not None:
            H, W = pha.shape[-2:]
            behind = background(H, W, encoding).to(pha.device)
            return composite(fgr.float(), pha.float(), behind)
        case "com":
            alpha = pha.float()
            return torch.cat([fgr.float() * (alpha > (0.5 / levels if levels else 0)), alpha])
        case "pha":
            return pha.float()
        case "fgr":
            return fgr.float()
        case "err":
            return matte.err()[0].float()
        case "ref":
            return matte.ref()[0].float()
    raise BadInput(f"outputs: found {kind}, expected some of {', '.join(OUTPUTS)}")
