"""Weight files in, plain tensors out: never runs code from a file, names what it found."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from bgm.errors import BadInput, first_line
from bgm.files import atomic_write
from bgm.weights.named_files import weights_file

LARGE = 500_000  # numbers in a convolution: three of the ASPP
SCALE = ".scale"  # behind the name of a weight in 8 bits: float32, one a row (output channel)


def to_eight_bits(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the large convolutions as int8 and, beside each, what its rows are to be
    multiplied by: the largest value of a row is 127.
    """
    out = {}
    for name, value in state.items():
        if value.ndim != 4 or value.numel() < LARGE or not value.is_floating_point():
            out[name] = value
            continue
        scale = value.float().abs().amax((1, 2, 3)).clamp_min(1e-12) / 127
        out[name] = torch.round(value.float() / scale[:, None, None, None]).to(torch.int8)
        out[name + SCALE] = scale
    return out


def from_eight_bits(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `to_eight_bits`, in float32; other weights pass as they are."""
    scales = {name.removesuffix(SCALE): v for name, v in state.items() if name.endswith(SCALE)}
    return {
        name: value.float() * scales[name][:, None, None, None] if name in scales else value
        for name, value in state.items()
        if not name.endswith(SCALE)
    }


# Of classifiers: torchvision's ResNets and MobileNetV2, efficientnet-lite-pytorch's.
FIRST_CONVOLUTIONS = {"conv1.weight", "features.0.0.weight", "_conv_stem.weight"}


class Stored(NamedTuple):
    """What a weight file holds."""

    kind: str  # "bgm", "bgmv2", "deeplabv3" or "classifier"
    state: dict[str, Tensor]  # our names for bgm and bgmv2 parts, without "network."
    network: dict  # the config that rebuilds the network; empty unless kind is "bgm"
    about: dict  # whatever else the file says about itself, plain values


def read_weights(path: str | Path) -> Stored:
    """Read a .safetensors, .ckpt or .pth file with weights_only=True and tell its kind.

    path: or a name (`bgm.weights.named_files`). Raises BadInput for a missing file, a pickle with
    code in it, and anything else without network weights.
    """
    path = weights_file(path)
    if not path.is_file():
        what = "is a folder" if path.exists() else "does not exist"
        raise BadInput(f"checkpoint {path} {what}")
    content = read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds a {type(content).__name__}, not network weights")
    return identify(path, content)


def read_own(path: str | Path) -> Stored:
    """`read_weights` of a network trained here, which says how it is built; else BadInput."""
    stored = read_weights(path)
    if not stored.network:
        raise BadInput(f"{path} holds {stored.kind} weights, expected a network trained here")
    return stored


def safetensors_path(out: str | Path) -> Path:
    """Where `write_safetensors` shall write: BadInput for another suffix, before any work."""
    out = Path(out)
    if out.suffix != ".safetensors":
        raise BadInput(f"{out} ends in {out.suffix or 'nothing'}, expected .safetensors")
    return out


def read_safetensors(path: Path) -> dict:
    """Weights and what the file says of them, as `identify` takes it. Raises BadInput."""
    try:
        state = from_eight_bits(load_file(path))
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        card = {key: json.loads(metadata[key]) for key in ("network", "card") if key in metadata}
    except (SafetensorError, ValueError, OSError) as error:
        raise BadInput(f"{path} is no safetensors checkpoint ({error})") from None
    return {"state_dict": state, "bgm": card}


def read_pickle(path: Path) -> object:
    """What a PyTorch file holds, on the CPU. BadInput for no such file, and for one with code."""
    try:
        with path.open("rb") as file:
            known = file.read(1) in (b"P", b"\x80")  # a zip archive, a pickle of protocol 2
        content = torch.load(path, map_location="cpu", weights_only=True) if known else None
    except pickle.UnpicklingError as error:
        if "Unsupported" in str(error) or "GLOBAL" in str(error):
            raise BadInput(
                f"{path} holds Python objects that could run code, not only weights: refused"
            ) from None
        known = False
    except Exception as error:  # bytes that are no pickle are taken for any of its instructions
        raise BadInput(f"{path} is no checkpoint, or a broken one ({first_line(error)})") from None
    if not known:
        raise BadInput(f"{path} is no checkpoint (it is neither a PyTorch file nor safetensors)")
    return content


def identify(path: Path, content: dict) -> Stored:
    """Whose file it is, by its keys, and the network in it. Raises BadInput for unknown ones."""
    if "state_dict" in content and "hyper_parameters" in content:  # Lightning, ours
        hyper = content["hyper_parameters"]
        if "network" not in hyper:
            raise BadInput(f"{path} is a Lightning checkpoint without a bgm network in it")
        named = content["state_dict"].items()
        state = {k.removeprefix("network."): v for k, v in named if k.startswith("network.")}
        card = {k: content[k] for k in ("epoch", "global_step", "bgm_card") if k in content}
        return Stored("bgm", state, hyper["network"], card)
    if "bgm" in content:
        card = content["bgm"]
        if "network" not in card:
            raise BadInput(f"{path} is a safetensors file without a bgm network in its metadata")
        return Stored("bgm", content["state_dict"], card["network"], card.get("card", {}))
    inside = (content.get(key) for key in ("model_state", "state_dict", "model"))
    state = next((x for x in inside if isinstance(x, dict)), content)
    state = {k.removeprefix("module."): v for k, v in state.items() if isinstance(v, Tensor)}
    kind = kind_of(state)
    if kind is None:
        shown = ", ".join(list(state or content)[:5]) or "nothing"
        raise BadInput(f"{path} holds no network of a known kind (its first keys: {shown})")
    return Stored(kind, state, {}, {})


def kind_of(state: dict[str, Tensor]) -> str | None:
    """ "bgmv2", "deeplabv3" or "classifier", by the names of its tensors; None for another."""
    if any(k.startswith("backbone.") for k in state):
        return "bgmv2" if any(k.startswith("decoder.conv4.") for k in state) else "deeplabv3"
    if FIRST_CONVOLUTIONS & state.keys():
        return "classifier"
    return None


def write_safetensors(
    path: str | Path, state: dict[str, Tensor], network: dict, card: dict | None = None
) -> None:
    """Write weights, the config that rebuilds their network and a card: whole or not at all."""
    metadata = {"network": json.dumps(network), "card": json.dumps(card or {})}
    with atomic_write(path) as partial:
        try:
            save_file({k: v.contiguous() for k, v in state.items()}, partial, metadata)
        except SafetensorError as error:  # how it says that a disk is full
            raise OSError(str(error)) from None
