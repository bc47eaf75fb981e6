"""Numbers from papers, to print beside ours; none of them was measured here."""

from typing import NamedTuple

from bgm.metrics import metrics_of


class Published(NamedTuple):
    """A row of a table, on the scales of papers (`bgm.metrics.metrics_of(protocol, "table")`)."""

    protocol: str
    network: str
    benchmark: str
    source: str
    values: dict[str, float]


_BGMV2 = ("sad", "mse", "grad", "conn", "fg_mse")
_LIN = "Lin et al. 2021, table 1"
_LIN_BACKBONES = "Lin et al. 2021, backbones on Distinctions-646"
_RVM = "Lin et al. 2022 (RobustVideoMatting), table 7"


def _row(network: str, benchmark: str, source: str, *values: float) -> Published:
    return Published("bgmv2", network, benchmark, source, dict(zip(_BGMV2, values, strict=True)))


ROWS = (
    _row("ResNet-50", "AIM", _LIN, 12.86, 12.01, 8426, 11116, 5.31),
    _row("ResNet-50", "Distinctions-646", _LIN, 9.19, 7.08, 6345, 7216, 6.10),
    _row("ResNet-50", "PhotoMatte85", _LIN, 8.65, 9.57, 8736, 6637, 13.82),
    _row("MobileNetV2", "Distinctions-646", _LIN_BACKBONES, 10.53, 9.62, 7904, 8808, 8.19),
    _row("ResNet-101", "Distinctions-646", _LIN_BACKBONES, 9.30, 6.82, 6191, 7128, 7.68),
    Published(
        "rvm",
        "MobileNetV2",
        "VideoMatte HD, static background",
        _RVM,
        {"mad": 4.33, "mse": 0.32, "grad": 4.19, "dtssd": 1.33},
    ),
)


def published(protocol: str, factors: dict[str, float]) -> list[tuple[Published, dict[str, float]]]:
    """The rows of a protocol, on the scales of a run (metric -> factor).

    frame counts mad, mse and grad as rvm does, and gets its rows.
    """
    wanted = "rvm" if protocol == "frame" else protocol
    rows = [row for row in ROWS if row.protocol == wanted]
    table = {name: metric.scale for name, metric in metrics_of(wanted, "table").items()}
    return [
        (row, {m: v * factors.get(m, table[m]) / table[m] for m, v in row.values.items()})
        for row in rows
    ]
