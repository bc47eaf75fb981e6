"""From the words of predict.py's command line to frames, sinks and fixes of the plate."""

from collections.abc import Iterable
from pathlib import Path

from bgm.console import tracked
from bgm.errors import BadInput
from bgm.infer.frame import Frame
from bgm.infer.predict import AlignPlate, PlateFix, Sink, fix_exposure
from bgm.infer.sinks import PictureSink, VideoSink
from bgm.infer.sources import Clip, Pictures, is_picture, pictures, video


def open_frames(src: str, bgr: str) -> Pictures | Clip:
    """Frames of a picture, of a folder of pictures, or of a video (any other existing file)."""
    path = Path(src)
    if path.is_file() and not is_picture(path):
        return video(src, bgr)
    return pictures(src, bgr)


def open_sink(
    frames: Pictures | Clip, out: str, outputs: list[str], background: str | None
) -> Sink:
    """PNG files for pictures, videos for a video.

    Raises BadInput for a shot that lies in a folder of outputs: a second run would matte the mattes
    of the first.
    """
    if isinstance(frames, Clip):
        return VideoSink(out, outputs, background, rate=frames.rate)
    folders = [Path(out).resolve() / kind for kind in outputs]
    for shot in frames.shots.values():
        if any(folder in shot.resolve().parents for folder in folders):
            raise BadInput(
                f"shot {shot} lies in out={out}, among the outputs: choose another folder"
            )
    return PictureSink(out, outputs, background)


def plate_fixes(align: bool, exposure: bool) -> list[PlateFix]:
    """What is done to every plate, in this order."""
    return ([AlignPlate()] if align else []) + ([fix_exposure] if exposure else [])


def with_progress(frames: Pictures | Clip) -> Iterable[Frame]:
    """The same frames with a progress bar around them."""
    total = frames.frames or None if isinstance(frames, Clip) else len(frames)
    return tracked(frames, "matting", total)
