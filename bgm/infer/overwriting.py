"""What a run may not write over: its own inputs, and pictures that no predict.py wrote."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from bgm.errors import BadInput
from bgm.infer.frame import Shot
from bgm.infer.shot_list import ListedShot
from bgm.infer.sources import Clip, Pictures
from bgm.pictures import find_pictures

DRAWN = ("garbage", "holdout", "background")  # words that may name pictures


class KnowsTargets(Protocol):
    """A sink that can say which files it would write, by kind of output."""

    def targets(self, name: str, clip: bool = False) -> dict[str, list[Path]]: ...


def check_overwriting(
    shot: ListedShot,
    frames: Pictures | Clip,
    sink: KnowsTargets,
    own: Iterable[str],
    words: Mapping[str, Any],
) -> None:
    """Raise BadInput, before anything is computed, for a file that must not be written over.

    own: kinds of output that predict.py wrote there before; files of other kinds are the user's,
    as the pha/ of finished scenes. words: of the command line, see `DRAWN`.
    """
    own = set(own)
    clip = isinstance(frames, Clip)
    inputs = {path.resolve(): word for word, path in _inputs(shot, frames, words)}
    # The numbered pictures of a clip: how many there will be is not known yet.
    folders = {path.parent: word for path, word in inputs.items()} if clip else {}
    for name in [frames.path.stem] if isinstance(frames, Clip) else frames.names:
        for kind, paths in sink.targets(name, clip).items():
            for path in paths:
                given = path.resolve()
                numbered = path.parent.name == name and clip
                word = inputs.get(given) or (folders.get(given.parent) if numbered else None)
                if word:
                    raise BadInput(
                        f"{path} is read as {word} and would be written over: choose another out"
                    )
                if kind not in own and path.exists():
                    raise BadInput(
                        f"{path} is there already and is none of predict.py's: it would be written"
                        " over, so move it or choose another out"
                    )


def _inputs(
    shot: ListedShot, frames: Pictures | Clip, words: Mapping[str, Any]
) -> Iterator[tuple[str, Path]]:
    """Every file that is read, with the word that names it."""
    shots = [frames.path] if isinstance(frames, Clip) else frames.shots.values()
    plates = [frames.plate] if isinstance(frames, Clip) else frames.plates.values()
    yield from (("src", path) for path in shots)
    yield from (("bgr", plate) for plate in plates if not isinstance(plate, Shot))
    if (clip := Path(shot.bgr.rpartition("@")[0])).is_file():
        yield "bgr", clip
    for word in DRAWN:
        path = Path(str(words.get(word) or ""))
        files = find_pictures(path).values() if words.get(word) and path.is_dir() else [path]
        yield from ((word, file) for file in files if file.is_file())
