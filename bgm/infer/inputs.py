"""From the words of predict.py's command line to frames, sinks and fixes of the plate."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from bgm.console import say, tracked
from bgm.errors import BadInput
from bgm.infer.frame import Frame
from bgm.infer.models import AUTO
from bgm.infer.ocio import OcioSpaces
from bgm.infer.predict import AlignPlate, PlateFix, Sink, fix_exposure
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import Clip, Pictures, is_picture, pictures, read_shot, video
from bgm.infer.stills import STILL_FORMATS
from bgm.infer.video_sink import VideoSink


def open_frames(
    src: str,
    bgr: str,
    linear: bool | str = AUTO,
    ocio: str | None = None,
    ocio_space: str | None = None,
) -> Pictures | Clip:
    """Frames of a picture, of a folder of pictures, or of a video (any other existing file).

    linear: what the numbers of pictures mean, "auto" as each file says. ocio, ocio_space: of
    pictures, see `OcioSpaces`.
    """
    if linear not in (True, False, AUTO):
        raise BadInput(f"linear is {linear}, expected true, false or auto")
    path = Path(src)
    if path.is_file() and not is_picture(path):
        if ocio is not None:
            raise BadInput(f"ocio={ocio} is for pictures, but src {src} is a video")
        return video(src, bgr)
    meant = None if linear == AUTO else bool(linear)
    if ocio is None:
        return pictures(src, bgr, partial(read_shot, linear=meant))
    spaces = OcioSpaces(ocio, ocio_space)
    return pictures(src, bgr, lambda file: spaces.to_light(read_shot(file, meant), file))


def open_sink(
    frames: Pictures | Clip,
    out: str,
    outputs: list[str],
    background: str | None,
    *,
    output: str | None = None,
    alpha: str | None = None,
    compression: str = "zip",
) -> Sink:
    """Picture files for pictures, videos for a video; see `PictureSink` and `VideoSink`.

    A video may become numbered pictures (output=png, png16, tiff or exr).

    Raises BadInput for a shot that lies in a folder of outputs: a second run would matte the mattes
    of the first.
    """
    pictures_out: dict[str, Any] = {
        "output": output,
        "alpha": alpha,
        "compression": compression,
        "say": say,
    }
    if isinstance(frames, Clip) and output in STILL_FORMATS:
        if frames.header.audio:
            say(f"{frames.path.name}: its audio is not written, output={output} is pictures")
        return PictureSink(out, outputs, background, **pictures_out)
    if isinstance(frames, Clip):
        return VideoSink(
            out,
            outputs,
            background,
            rate=frames.rate,
            output=output,
            alpha=alpha or "straight",
            source=frames.header,
            say=say,
        )
    folders = [Path(out).resolve() / kind for kind in outputs]
    for shot in frames.shots.values():
        if any(folder in shot.resolve().parents for folder in folders):
            raise BadInput(
                f"shot {shot} lies in out={out}, among the outputs: choose another folder"
            )
    return PictureSink(out, outputs, background, **pictures_out)


def plate_fixes(align: bool, exposure: bool) -> list[PlateFix]:
    """What is done to every plate, in this order."""
    return ([AlignPlate()] if align else []) + ([fix_exposure] if exposure else [])


def with_progress(frames: Pictures | Clip) -> Iterable[Frame]:
    """The same frames with a progress bar around them."""
    total = frames.frames or None if isinstance(frames, Clip) else len(frames)
    return tracked(frames, "matting", total)
