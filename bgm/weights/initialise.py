"""Start a training from other weights: ours, BackgroundMattingV2's, torchvision's, VainF's."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.weights.build import own_names
from bgm.weights.fitting import LoadReport, match_keys
from bgm.weights.formats import Stored, read_weights
from bgm.weights.imagenet import IMAGENET, imagenet_file, input_gain, is_lite, lite_names

# VainF's MobileNetV2 splits `features` in two lists whose numbers go on.
VAINF_FEATURES = re.compile(r"^backbone\.(low_level_features|high_level_features)\.")
ASPP_NAMES = ("classifier.classifier.0.", "classifier.aspp.", "classifier.0.")


KINDS = ("base", "refined", "deeplabv3", "classifier")


def initialise(net: nn.Module, path: str | Path, kinds: Sequence[str] | None = None) -> LoadReport:
    """Load what fits from a local weight file into net (changed), and report every key.

    Matting checkpoints (ours, BackgroundMattingV2's) must bring the whole base; classifiers and
    DeepLabV3 (torchvision, VainF) bring the encoder and the ASPP, their 3-channel first convolution
    is widened to 6 (`widened`). path: or "imagenet", the classifier of net's encoder
    (`bgm.weights.imagenet`). kinds: of `KINDS`, those that the file may be of. Raises BadInput for
    another kind, and when the base does not fit.
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
