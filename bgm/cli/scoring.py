"""Score a network, or a trivial matte, on finished scenes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bgm.cli.clips import Temporal
from bgm.cli.launch import tracked
from bgm.cli.models import Model
from bgm.data import MattingData, Scenes
from bgm.infer.matte import matte
from bgm.metrics import Scores, all_zero, best_threshold, score
from bgm.pictures import to_uint8
from bgm.types import Batch

Matted = tuple[np.ndarray, np.ndarray | None]  # pha (H, W) and fgr (3, H, W), uint8


def finished_scenes(data: MattingData, split: str) -> Scenes:
    """The scenes of a data config's split, composed now if they are not on disk yet."""
    data.prepare_data()
    return data.scenes(split)


def by_network(model: Model) -> Callable[[Batch], Matted]:
    """Matte one unbatched scene with a network; 8 bits, as a picture file would have it."""

    def run(scene: Batch) -> Matted:
        src, bgr = (x[None].to(model.device) for x in (scene.src, scene.bgr))
        found = matte(model.net, src, bgr, scale=model.scale)
        return to_uint8(found.pha[0, 0]).cpu().numpy(), to_uint8(found.fgr[0]).cpu().numpy()

    return run


def score_scenes(
    scenes: Scenes, run: Callable[[Batch], Matted], protocol: str, what: str = "scoring"
) -> Scores:
    """Scores of every scene; the foreground counts only where its truth is known.

    Scenes that are frames of clips get scores over time, too, where the protocol has them.
    """
    scores = Scores(protocol)

    def matted(index: int) -> tuple[np.ndarray, np.ndarray]:
        scene = scenes[index]
        return run(scene)[0], to_uint8(scene.pha[0]).numpy()

    temporal = Temporal(scenes.names if "dtssd" in scores.scales else [], matted)
    for index, name in enumerate(tracked(scenes.names, what)):
        scene = scenes[index]
        pha, fgr = run(scene)
        known = fgr is not None and bool(scene.has_fgr)
        true_fgr = to_uint8(scene.fgr).numpy() if known else None
        true = to_uint8(scene.pha[0]).numpy()
        temporal.put(index, pha, true)
        row = score(
            pha, true, protocol=protocol, fgr_pred=fgr if known else None, fgr_true=true_fgr
        )
        scores.add(name, row | temporal.row(index))
    return scores


def score_baselines(scenes: Scenes, protocol: str, wanted: bool = True) -> dict[str, Scores]:
    """The trivial mattes: nothing, and background-difference keys tuned on these very scenes."""
    if not wanted:
        return {}
    pictures = [scenes[i] for i in range(len(scenes))]
    fields = (
        [to_uint8(x).numpy() for x in column]
        for column in zip(*(p[:3] for p in pictures), strict=True)
    )
    found = best_threshold(*fields)
    mattes = {"all_zero": all_zero} | {kind: f.key for kind, f in found.items() if kind != "best"}
    return {
        name: score_scenes(
            scenes,
            lambda scene, key=key: (key(*(to_uint8(x).numpy() for x in scene[:2])), None),
            protocol,
            name,
        )
        for name, key in mattes.items()
    }


def write_scores(scores: Scores, out: str | Path) -> list[Path]:
    """Write out.csv and out.json; returns their paths."""
    out = Path(out)
    paths = [out.with_name(f"{out.name}.csv"), out.with_name(f"{out.name}.json")]
    scores.write_csv(paths[0])
    scores.write_json(paths[1])
    return paths
