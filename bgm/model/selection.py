"""The words that choose patches on every command line, and the selection that they mean."""

from torch import nn

from bgm.errors import BadInput
from bgm.model.patches import Full, Sampling, Thresholding

SELECTIONS: dict[str, type[nn.Module]] = {
    "sampling": Sampling,
    "thresholding": Thresholding,
    "full": Full,
}
LEAST = 1 / 64  # scale: of pictures of 64 px, as small ones are padded, one pixel
KIND_OF = {"sample_pixels": "sampling", "threshold": "thresholding"}  # whose number it is


def choose_select(
    select: str | nn.Module | None = None,
    sample_pixels: float | None = None,
    threshold: float | None = None,
) -> nn.Module | None:
    """The selection that these words mean; None, the network's own, where there are none.

    select: a name of SELECTIONS, or a module like those; a number alone tells its kind.
    sample_pixels: 16 or more. threshold: 0 to 1. Raises BadInput for words that contradict each
    other.
    """
    numbers = {"sample_pixels": sample_pixels, "threshold": threshold}
    given = {name: value for name, value in numbers.items() if value is not None}
    if len(given) == 2:
        raise BadInput(
            f"sample_pixels={sample_pixels} is for select=sampling and threshold={threshold} for "
            "select=thresholding: give one of them (a preset brings sample_pixels)"
        )
    kind = select
    for name, value in given.items():
        kind = kind or KIND_OF[name]
        if kind != KIND_OF[name]:
            found = kind if isinstance(kind, str) else type(kind).__name__
            preset = " (a preset brings sample_pixels)" if name == "sample_pixels" else ""
            raise BadInput(f"{name}={value} is for select={KIND_OF[name]}, found {found}{preset}")
    if kind is None or isinstance(kind, nn.Module):
        return kind
    if kind not in SELECTIONS:
        raise BadInput(f"select {kind} is none of {', '.join(SELECTIONS)}")
    if sample_pixels is not None and not (is_number(sample_pixels) and sample_pixels >= 16):
        raise BadInput(f"sample_pixels is {sample_pixels}, expected 16 (one patch) or more")
    if threshold is not None and not (is_number(threshold) and 0 <= threshold <= 1):
        raise BadInput(f"threshold is {threshold}, expected a number from 0 to 1")
    if sample_pixels is not None:
        given["sample_pixels"] = int(sample_pixels)
    return SELECTIONS[kind](**given)


def check_scale(name: str, value: object, most: float) -> None:
    """Raise BadInput for a scale that is no share of a size, from `LEAST` to most; None passes."""
    if value is not None and not (is_number(value) and LEAST <= value <= most):  # type: ignore[operator]
        raise BadInput(f"{name} is {value}, expected a number from 1/64 to {most:g}")


def is_number(value: object) -> bool:
    """Whether it is an int or a float; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_kernel_size(refiner: nn.Module | None, wanted: int | None, name: str) -> None:
    """Raise BadInput unless the refiner of `name` has the wanted kernel size; None is any."""
    own = getattr(refiner, "kernel_size", None)
    if wanted is not None and wanted != own:
        has = "no refiner" if own is None else f"a refiner of kernel_size {own}"
        raise BadInput(f"{name} has {has}, found kernel_size={wanted}: it is trained, not set")
