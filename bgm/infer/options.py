"""What the options of predict.py ask for: frames, sinks, steps, fixes of the plate."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from bgm.console import say
from bgm.errors import BadInput
from bgm.infer.frame import Shot
from bgm.infer.models import AUTO
from bgm.infer.ocio import OcioSpaces
from bgm.infer.outputs import OUTPUTS
from bgm.infer.plate.clip_plates import MEDIAN, median_shot, parse_range, range_plate
from bgm.infer.predict import MatteStep
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import (
    Broken,
    Clip,
    Pictures,
    Reader,
    is_picture,
    pictures,
    read_shot,
    video,
    video_shots,
)
from bgm.infer.steps import Calm, Despeckle, Garbage, Holdout
from bgm.infer.stills import STILL_FORMATS
from bgm.infer.video_sink import VideoSink
from bgm.pictures import dropped, find_pictures, other_files, picture_size, pixel_aspect
from bgm.video.decode import read_header
from bgm.video.frame_times import has_varying_times


def open_frames(
    src: str,
    bgr: str,
    linear: bool | str = AUTO,
    fit: bool = False,
    *,
    ocio: str | None = None,
    ocio_space: str | None = None,
    broken: Broken | None = None,
) -> Pictures | Clip:
    """Frames of a picture, of a folder of pictures, or of a video (any other existing file).

    bgr: a file or a folder, "clip.mp4@0:00-0:03", or "median", see `open_plate`. linear: what the
    numbers of pictures mean, "auto" as each file says. fit: plates may have another size. ocio,
    ocio_space: of pictures, see `OcioSpaces`. broken: see `Pictures`.
    """
    if linear not in (True, False, AUTO):
        raise BadInput(f"linear is {linear}, expected true, false or auto")
    meaning = None if linear == AUTO else bool(linear)
    read = picture_reader(meaning, OcioSpaces(ocio, ocio_space) if ocio else None)
    if bgr is not None and Path(src).exists() and Path(src).resolve() == Path(bgr).resolve():
        say(f"bgr {bgr} is the shot itself: nothing stands before it, alpha will be 0")
    path, plate = Path(src), open_plate(src, bgr, read)
    if path.is_file() and not is_picture(path):
        if ocio is not None:
            raise BadInput(f"ocio={ocio} is for pictures, but src {src} is a video")
        if meaning is not None:
            raise BadInput(f"linear={linear} is for pictures, but src {src} is a video")
        clip = video(src, plate, fit)
        if clip.doubt:
            say(clip.doubt)
        say_dropped(src, clip.header.dropped)
        say_dropped(plate, dropped_of(plate))
        return clip
    frames = pictures(src, plate, read, fit, broken)
    for first in (next(iter(frames.shots.values())), next(iter(frames.plates.values()))):
        say_dropped(first, dropped_of(first))
    if path.is_dir() and (others := other_files(path)):
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        say(f"{src}: passed over, as no pictures that are read: {some} ({len(others)})")
    return frames


def say_dropped(file: str | Path | Shot, sentences: list[str]) -> None:
    """Say what reading a file leaves out."""
    for sentence in sentences:
        say(f"{file}: {sentence}")


def dropped_of(file: str | Path | Shot) -> list[str]:
    """What reading a picture or a video leaves out; nothing of one that cannot be read."""
    with suppress(BadInput):  # it is named when it is read
        if not isinstance(file, Shot):
            return dropped(file) if is_picture(file) else read_header(file).dropped
    return []


def picture_reader(linear: bool | None, spaces: OcioSpaces | None) -> Reader:
    """What makes a shot of a picture file: in its own numbers, or in light by a config."""
    if spaces is None:
        return partial(read_shot, linear=linear)
    return lambda file: spaces.to_light(read_shot(file, linear), file)


def open_plate(src: str, bgr: str, read: Reader = read_shot) -> str | Shot:
    """The plate that is a median: of a range of a clip, or ("median") of the shot itself.

    Other words, and names of files, come back as they are.
    """
    if bgr is None or Path(bgr).exists():
        return bgr
    if bgr == MEDIAN:
        return median_shot(_shots(Path(src), read), f"bgr=median of {src}")
    part = parse_range(bgr)
    return range_plate(part) if part else bgr


def _shots(src: Path, read: Reader) -> Iterable[Shot]:
    """The pictures of a folder, or the frames of a video."""
    if src.is_dir():
        return _readable(src, read)
    if is_picture(src):
        raise BadInput(f"bgr=median needs a video or a folder of pictures, but src {src} is one")
    return (shot for shot, _ in video_shots(src))


def _readable(folder: Path, read: Reader) -> Iterator[Shot]:
    """The pictures of a folder that can be read and have the size that most have.

    The others are counted in one sentence: each is named when it is to be matted. Raises BadInput
    where none can be read.
    """
    sizes: dict[Path, tuple[int, int]] = {}
    left_out: list[str] = []
    files = list(find_pictures(folder).values())
    for file in files:
        try:
            sizes[file] = picture_size(file)
        except BadInput as error:
            left_out.append(str(error))
    most = Counter(sizes.values()).most_common(1)
    for file, size in sizes.items():
        if size != most[0][0]:
            (h, w), (H, W) = size, most[0][0]
            left_out.append(f"{file} is {w}x{h} where most are {W}x{H}")
            continue
        try:
            shot = read(file)
        except BadInput as error:
            left_out.append(str(error))
            continue
        yield shot
    if len(left_out) == len(files):
        raise BadInput(left_out[0])
    if left_out:
        say(f"bgr=median of {folder}: {len(left_out)} of {len(files)} left out, {left_out[0]}")


def open_sink(
    frames: Pictures | Clip,
    out: str,
    outputs: Iterable[str] | None,
    background: str | Sequence[int] | None,
    *,
    output: str | None = None,
    alpha: str | None = None,
    compression: str | None = None,
) -> PictureSink | VideoSink:
    """Picture files for pictures, videos for a video; see `PictureSink` and `VideoSink`.

    A video may become numbered pictures (output=png, png16, tiff or exr).

    Raises BadInput for a shot that lies in a folder of outputs, of this run or of another one: a
    second run would matte the mattes of the first.
    """
    pictures_out: dict[str, Any] = {
        "output": output,
        "alpha": alpha,
        "compression": compression,
        "say": say,
    }
    if isinstance(frames, Clip) and output in STILL_FORMATS:
        held: dict[str, Any] = {"audio": frames.header.audio, "timecode": frames.header.timecode}
        held["HDR10 metadata"] = frames.header.hdr
        held["varying frame rate"] = has_varying_times(frames.path)
        if lost := " and ".join(name for name, there in held.items() if there):
            say(f"{frames.path.name}: its {lost} is not written, output={output} is pictures")
        aspect = float(frames.header.pixel_aspect)
        return PictureSink(out, outputs, background, pixel_aspect=aspect, **pictures_out)
    if isinstance(frames, Clip):
        if compression is not None:
            raise BadInput(
                f"compression={compression} is of EXR, {frames.path} becomes a video: output=exr"
                " makes pictures of it"
            )
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
    folders = [Path(out).resolve() / kind for kind in OUTPUTS]
    for shot in frames.shots.values():
        if any(folder in shot.resolve().parents for folder in folders):
            raise BadInput(
                f"shot {shot} lies in out={out}, among the outputs: choose another folder"
            )
    with suppress(BadInput):  # it is named when it is read
        pictures_out["pixel_aspect"] = pixel_aspect(next(iter(frames.shots.values())))
    return PictureSink(out, outputs, background, **pictures_out)


def matte_steps(
    calm: float = 0,
    despeckle: float = 0,
    holdout: str | None = None,
    garbage: str | None = None,
    frames: Pictures | Clip | None = None,
) -> list[MatteStep]:
    """What is done to every matte, in this order: what was drawn by hand has the last word.

    frames: that it is done to; drawn mattes that do not fit them are refused before the first.
    """
    steps: list[MatteStep] = [Calm(calm)] if calm else []
    if despeckle:
        steps.append(Despeckle(despeckle))
    for path, kind in ((holdout, Holdout), (garbage, Garbage)):
        if path:
            drawn = kind(path)
            if frames is not None:
                drawn.matte.check(frames)
            steps.append(drawn)
    return steps
