"""The foreground's colour without the plate in it, in the encoding of the shot."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.colour import KNEE, from_display, from_linear, to_linear
from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame, Shot

# Standard deviations, of light (white is 1).
SHOT_NOISE = 0.004
NETWORK_ERROR = 0.05  # of its colour; this and the next two by benchmarks/foreground.py
ALPHA_ERROR = 0.02  # that the network does not predict
SPREAD_ERROR = 0.03  # of a colour that comes from the neighbours
EMPTY = 0.01  # alpha below this shows the plate alone
UNSEEN_MISFIT = 0.02  # of the plate, where the subject fills the picture
GAINS = (0.5, 1.6)  # of the plate, in shadows and light that came with the subject
GAIN_CELL = 8  # px: shadows are smooth
HIGHEST = 65504.0
SURE = 2.0  # deviations by which light must be above white to be believed
ROWS = 32  # of a picture at a time: what they need stays in the cache
MatteStep = Callable[[Frame, Matte], Matte]


def network_foreground(frame: Frame, matte: Matte) -> Matte:
    """The matte with the network's foreground in the shot's own encoding."""
    return matte._replace(fgr=as_encoded(frame.src, matte.fgr))


def unmixed_foreground(frame: Frame, matte: Matte) -> Matte:
    """The matte with F = (C - (1 - alpha) B) / alpha, spread inwards where alpha is small.

    Computed in linear light; the plate is lit as it is where alpha is 0 around.
    """
    return _foreground(frame, matte, with_network=False)


def auto_foreground(frame: Frame, matte: Matte) -> Matte:
    """The unmixed colour, the network's and the neighbours', each by how far it may be off.

    At alpha 1 that is the shot itself, values above 1 too.
    """
    return _foreground(frame, matte, with_network=True)


FOREGROUNDS = {
    "network": network_foreground,
    "unmix": unmixed_foreground,
    "auto": auto_foreground,
}


def choose_foreground(name: str) -> MatteStep:
    """A step of `predict` by its name; BadInput for an unknown one."""
    if name not in FOREGROUNDS:
        raise BadInput(f"fgr {name} is none of {', '.join(FOREGROUNDS)}")
    return FOREGROUNDS[name]


def as_encoded(src: Shot, fgr: Tensor) -> Tensor:
    """A foreground (1, 3, H, W) as shown on a screen, in the encoding of its shot.

    What the network changes of the shot is added to the shot's own values: where it changes
    nothing, they come back to the last bit, values above 1 too.
    """
    if src.shown_as_stored or src.display is src.stored:  # of floats in [0, 1] that are shown so
        return fgr
    display, values = (x[None].to(fgr.device) for x in (src.display, src.values))
    change = torch.empty_like(values)
    for part, *rows in zip(
        *(x.split(ROWS, 2) for x in (change, fgr, display, values)), strict=True
    ):
        found, shown = (from_display(x, src.encoding) for x in rows[:2])
        torch.sub(found, shown, out=part)
        part.add_(rows[2])
    return change


def _foreground(frame: Frame, matte: Matte, with_network: bool) -> Matte:
    encoding, alpha = frame.src.encoding, matte.pha.float()
    values = frame.src.values[None].to(alpha.device)
    shot = to_linear(values, encoding)
    plate = to_linear(frame.bgr.values[None].to(alpha.device), encoding)
    network = to_linear(as_encoded(frame.src, matte.fgr.float()), encoding)
    known = network if with_network else None
    light = clean_light(shot, plate, alpha, matte.err(), known, bounded=encoding.bounded)
    fgr = from_linear(light, encoding)
    if encoding.bounded:
        fgr = fgr.clamp(0, 1)
    return matte._replace(fgr=torch.where(alpha >= 1, values, fgr))


def clean_light(
    shot: Tensor,
    plate: Tensor,
    alpha: Tensor,
    err: Tensor,
    network: Tensor | None,
    *,
    bounded: bool = True,
) -> Tensor:
    """The foreground's light (1, 3, H, W), a mean weighted by inverse variances.

    shot, plate, network: (1, 3, H, W) linear; alpha and its predicted error: (1, 1, H, W). Of the
    error of F = (C - (1 - a) B) / a the shot's noise gives 1 / a, the plate's misfit, measured
    where alpha is 0, (1 - a) / a, and an error of alpha |F - B| / a. bounded: whether light ends at
    1; where it does not, network and neighbours have no say in highlights (`highlight`).
    """
    plate, misfit = relit(shot, plate, alpha)
    known, variance, guess = direct_colours(
        shot, plate, alpha, err, misfit, network, bounded=bounded
    )
    spread, distance = spread_inwards(known, alpha.square() / variance)
    return weighted([known, spread], [variance, guess * (1 + distance)])[0]


def direct_colours(
    shot: Tensor,
    plate: Tensor,
    alpha: Tensor,
    err: Tensor,
    misfit: Tensor,
    network: Tensor | None,
    *,
    bounded: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """What each pixel knows by itself of its colour, its variance, and that of a neighbour's guess.

    plate, misfit: of `relit`.
    """
    a = alpha.clamp(min=1e-3)
    unmixed = ((shot - (1 - a) * plate) / a).clamp(0, HIGHEST)
    wrong = err.clamp(min=ALPHA_ERROR) * (unmixed - plate).abs().amax(1, keepdim=True)
    wrong = wrong * (1 - a).clamp(min=0.02)
    brightness = shot.amax(1, keepdim=True).clamp(min=1)  # noise grows with light
    noise = (SHOT_NOISE * brightness) ** 2 + ((1 - a) * misfit) ** 2 + wrong**2
    colours, variances = [unmixed], [noise / a**2]
    blind = torch.ones_like(a) if bounded else highlight(shot, plate, alpha, err, misfit)
    if network is not None:
        colours.append(network.clamp(0, HIGHEST))
        # Where alpha is nearly 0 the network never learnt a colour; its white, bent back, may be
        # any light above white.
        bent = blind if bounded else blind.maximum(bending(network.amax(1, keepdim=True) - 1))
        variances.append((NETWORK_ERROR / a.clamp(min=0.05) ** 0.5 * brightness * bent) ** 2)
    return *weighted(colours, variances), (SPREAD_ERROR * brightness * blind) ** 2


def with_spread(
    known: Tensor, variance: Tensor, guess: Tensor, share: Tensor, below: Tensor, distance: Tensor
) -> Tensor:
    """A pixel's own colour with that of its neighbours, the last step of `clean_light`.

    known, variance, guess: of `direct_colours`. share: of the best weight; below, distance: what
    `pull_push` says of the next level.
    """
    sure = (share * 4).clamp(max=1)
    spread, distance = known * sure + below * (1 - sure), distance * (1 - sure)
    return weighted([known, spread], [variance, guess * (1 + distance)])[0]


def highlight(shot: Tensor, plate: Tensor, alpha: Tensor, err: Tensor, misfit: Tensor) -> Tensor:
    """How many times worse a guess is where the subject is surely brighter than white: 1 or more.

    (1, 1, H, W). The network sees highlights bent below 1 (`shoulder`): its error grows with the
    square of the light above white, by the slope of the curve back; and what shines are single
    hairs, of whose light the neighbours know nothing. Sure is the least light that fits: alpha as
    large as it may be, less the noise of shot and plate.
    """
    most = (alpha + SURE * err.clamp(min=ALPHA_ERROR)).clamp(0, 1)
    least = plate + (shot - plate) / most
    noise = (SHOT_NOISE * shot.clamp(min=1)) ** 2 + ((1 - most) * misfit) ** 2
    return bending((least - SURE * noise.sqrt() / most - 1).amax(1, keepdim=True))


def bending(above: Tensor) -> Tensor:
    """The slope of the curve from a screen back to light, `above` white: 1 below it."""
    return (1 + above.clamp(min=0) / (1 - KNEE)) ** 2


def weighted(colours: list[Tensor], variances: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The mean by inverse variances, and its variance."""
    weights = [1 / variance for variance in variances]
    total = torch.stack([w.expand_as(colours[0][:, :1]) for w in weights]).sum(0)
    mean = torch.stack([c * w for c, w in zip(colours, weights, strict=True)]).sum(0) / total
    return mean, 1 / total


def relit(shot: Tensor, plate: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """The plate as it is lit around the subject, and how far it is off there (1, 1, H, W)."""
    size = list(shot.shape[-2:])
    small = (max(size[0] // GAIN_CELL, 1), max(size[1] // GAIN_CELL, 1))
    empty = (alpha < EMPTY).float()
    if not empty.any():  # nothing tells how the plate is off
        return plate, torch.full_like(alpha, UNSEEN_MISFIT)
    light, lit, seen = (F.adaptive_avg_pool2d(x * empty, small) for x in (shot, plate, empty + 0))
    gain = gain_of(light, lit, seen)
    plate = plate * F.interpolate(gain, size, mode="bilinear", align_corners=False)
    off = (shot - plate).abs().amax(1, keepdim=True) * empty
    misfit = misfit_of(F.adaptive_avg_pool2d(off, small), seen)
    return plate, F.interpolate(misfit, size, mode="bilinear", align_corners=False)


def gain_of(light: Tensor, lit: Tensor, seen: Tensor) -> Tensor:
    """By how much the plate is to be brighter: from cells where it is seen, spread over all."""
    gain = ((light + 1e-3) / (lit + 1e-3)).clamp(*GAINS)
    return spread_inwards(gain, seen)[0]


def misfit_of(off: Tensor, seen: Tensor) -> Tensor:
    """How far the plate is off: the mean over what is seen of cells, spread over all."""
    off = off / seen.clamp(min=1e-3)
    return spread_inwards(off * (seen > 0), seen)[0]


def spread_inwards(colour: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Fill (1, C, H, W) from where weight (1, 1, H, W) is large: pull-push over a pyramid.

    Also returns how far a pixel's colour came, in levels of the pyramid (Gortler et al. 1996).
    """
    weight = weight / weight.amax().clamp(min=1e-12)
    return pull_push(colour * weight, weight)


def pull_push(colour_sum: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """`spread_inwards` of colours that are multiplied by weights, of which 1 is the best."""
    colours, weights = [colour_sum], [weight]
    while max(weights[-1].shape[-2:]) > 1:
        for levels in (colours, weights):
            levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True, count_include_pad=False))
    filled = colours[-1] / weights[-1].clamp(min=1e-12)
    far = torch.zeros_like(weights[-1])
    for colour_sum, share in zip(colours[-2::-1], weights[-2::-1], strict=True):
        size = list(share.shape[-2:])
        below = F.interpolate(filled, size, mode="bilinear", align_corners=False)
        far = F.interpolate(far, size, mode="bilinear", align_corners=False) + 1
        sure = (share * 4).clamp(max=1)  # a quarter of the best weight is enough
        own = colour_sum / share.clamp(min=1e-12)
        filled, far = own * sure + below * (1 - sure), far * (1 - sure)
    return filled, far
