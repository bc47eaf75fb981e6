"""Learning rates shaped like the module tree, and the schedule that scales them."""

import math
from collections.abc import Iterator, Mapping

from torch import nn

from bgm.errors import BadInput

Rates = float | None | Mapping[str, "Rates"]


def parameter_groups(net: nn.Module, rates: Rates) -> list[dict]:
    """Optimiser groups from a tree such as {base: {backbone: 5e-5, aspp: 5e-5}, refiner: 3e-4}.

    Every parameter must be covered exactly once: a branch that the network lacks, and a part of the
    network that no branch covers, are BadInput. A rate of null freezes the part: no gradient here,
    and no statistics and no dropout where `frozen_parts` is heeded.
    """
    groups = []
    for name, part, rate in leaves(net, rates, ""):
        if rate is None:
            part.requires_grad_(False)
            continue
        params = list(part.parameters())
        groups.append({"name": name or "network", "params": params, "lr": as_rate(rate, name)})
    if not groups:
        raise BadInput("every part of the network is frozen: no learning rate is left in lr")
    return groups


def as_rate(value: float, path: str) -> float:
    """A learning rate as a number; BadInput, naming the part, for what is none or not above 0."""
    where = f"lr{'.' + path if path else ''}"
    try:
        rate = float(value)
    except (TypeError, ValueError):
        raise BadInput(f"{where} is {value}, expected a number above 0, or null") from None
    if isinstance(value, bool) or not 0 < rate < math.inf:
        raise BadInput(f"{where} is {value}, expected a number above 0, or null")
    return rate


def frozen_parts(net: nn.Module, rates: Rates) -> list[nn.Module]:
    """The parts with a rate of null, which a training step leaves exactly as they are."""
    return [part for _, part, rate in leaves(net, rates, "") if rate is None]


def leaves(
    module: nn.Module, rates: Rates, path: str
) -> Iterator[tuple[str, nn.Module, float | None]]:
    """Dotted path, part and rate for every rate of a tree; BadInput where it misses a part."""
    if not isinstance(rates, Mapping):
        yield path, module, rates
        return
    children = {n: m for n, m in module.named_children() if any(True for _ in m.parameters())}
    unknown, uncovered = set(rates) - set(children), set(children) - set(rates)
    bare = [n for n, _ in module.named_parameters(recurse=False)]
    if unknown or uncovered or bare:
        raise BadInput(
            f"lr{'.' + path if path else ''} names {sorted(rates)}, but the network's parts there "
            f"are {sorted([*children, *bare])}: each needs exactly one rate (null freezes it)"
        )
    for name, rate in rates.items():
        yield from leaves(children[name], rate, f"{path}.{name}" if path else name)


def check_schedule(warmup: int, final: float) -> None:
    """Raise BadInput for numbers of `factor` that lead to rates below 0, or above the first."""
    for name, value, most in (("warmup_steps", warmup, math.inf), ("final_lr", final, 1)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= most or value == math.inf:
            expected = "0 or more" if most == math.inf else "0 to 1, a share of the rates"
            raise BadInput(f"stage.{name} is {value}, expected {expected}")


def factor(step: int, total: int, warmup: int, final: float) -> float:
    """Scale of all learning rates at a step: linear over warmup steps, then cosine down to final.

    final = 1 keeps them constant, as the paper does. A function of the step alone: it resumes.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
