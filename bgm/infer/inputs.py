"""From what was typed to frames, sinks and plate mending."""

from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor

from bgm.console import tracked
from bgm.errors import BadInput
from bgm.infer.predict import Aligned, Sink, exposed
from bgm.infer.sinks import PictureSink, VideoSink
from bgm.infer.sources import Clip, Frame, Pictures, is_picture, pictures, video


def frames_of(src: str, bgr: str) -> Pictures | Clip:
    """Frames of a picture, of a folder of pictures, or of a video (any other existing file)."""
    path = Path(src)
    if path.is_file() and not is_picture(path):
        return video(src, bgr)
    return pictures(src, bgr)


def sink_for(frames: Pictures | Clip, out: str, outputs: list[str], background: str | None) -> Sink:
    """PNG files for pictures, videos for a video."""
    if isinstance(frames, Clip):
        return VideoSink(out, outputs, background, rate=frames.rate)
    for shot in frames.shots.values():  # a second run would matte the first one's mattes
        kinds = [Path(out).resolve() / kind for kind in outputs]
        if any(kind in shot.resolve().parents for kind in kinds):
            raise BadInput(
                f"shot {shot} lies in out={out}, among the outputs: choose another folder"
            )
    return PictureSink(out, outputs, background)


def mending(align: bool, exposure: bool) -> list[Callable[[Frame], tuple[Tensor, str]]]:
    """The steps that mend a plate, in the order in which they work."""
    return ([Aligned()] if align else []) + ([exposed] if exposure else [])


def watched(frames: Pictures | Clip) -> Iterable[Frame]:
    """The same frames with a progress bar around them."""
    total = frames.frames or None if isinstance(frames, Clip) else len(frames)
    return tracked(frames, "matting", total)
