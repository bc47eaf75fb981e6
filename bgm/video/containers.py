"""PyAV, which is an extra, and the files that it is asked to open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bgm.errors import BadInput
from bgm.extras import pip_install
from bgm.pictures import by_stem, walk_files

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


def pyav(why: str) -> ModuleType:
    """Import PyAV; raises BadInput that names the extra when it is not installed."""
    try:
        import av
    except ImportError:
        raise BadInput(f"{why} needs PyAV: {pip_install('video')}") from None
    return av


def find_videos(folder: str | Path, needed: bool = True) -> dict[str, Path]:
    """Map relative stem to file for every video under folder, sorted by stem.

    Raises BadInput for two files of one stem and, if needed, for a folder that is missing or empty.
    """
    folder = Path(folder)
    found: dict[str, Path] = {}
    if folder.is_dir():
        found, _ = by_stem(walk_files(folder), VIDEOS)
    if needed and not found:
        raise BadInput(f"folder {folder} holds 0 videos (looked for {' '.join(VIDEOS)})")
    return found


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Give (PyAV container, its first video stream); raises BadInput for what has none."""
    av = pyav(f"reading video {path}")
    if not Path(path).is_file():
        raise BadInput(f"video {path} does not exist")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"video {path} cannot be read ({error})") from None
    with container:
        # A cover picture of a song is a video stream to FFmpeg.
        streams = [s for s in container.streams.video if not _is_cover(s)]
        if not streams:
            raise BadInput(f"{path} has no video in it")
        yield container, streams[0]


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)
