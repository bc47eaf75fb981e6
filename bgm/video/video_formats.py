"""The kinds of video that are read and written: containers, encoders, pixel formats."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from bgm.errors import BadInput
from bgm.extras import pip_install
from bgm.pictures import by_stem, walk_files

RAW_JPEGS = (".mjpeg", ".mjpg")  # FFmpeg takes any file that holds one, as a PDF, for such a video
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


def url_of(path: str | Path) -> str:
    """What FFmpeg takes for the file: of "take:1.mov" it would look for a protocol "take"."""
    return str(Path(path).absolute())


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Give (PyAV container, its first video stream); raises BadInput for what has none."""
    av = pyav(f"reading video {path}")
    if not Path(path).is_file():
        raise BadInput(f"video {path} does not exist")
    try:
        container = av.open(url_of(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"video {path} cannot be read ({error})") from None
    with container:
        # A cover picture of a song is a video stream to FFmpeg.
        streams = [s for s in container.streams.video if not _is_cover(s)]
        if not streams:
            raise BadInput(f"{path} has no video in it")
        if container.format.name == "mjpeg" and Path(path).suffix.lower() not in RAW_JPEGS:
            raise BadInput(f"{path} is no video: JPEG pictures are all that FFmpeg finds in it")
        yield container, streams[0]


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


Options = dict[str, str]


class Coding(NamedTuple):
    """An encoder of FFmpeg with the pixel format that it is given."""

    encoder: str
    pixels: str
    options: Options = {}  # noqa: RUF012  (never changed)
    odd: "Coding | None" = None  # for odd sides, where this one wants even ones

    @property
    def deep(self) -> bool:
        """Whether there are more than 8 bits, as HLG and PQ need."""
        return self.pixels.endswith("le")


class VideoFormat(NamedTuple):
    """One word of `output=` that stands for a video."""

    suffix: str
    container: str
    opaque: Coding
    alpha: Coding | None = None  # None: it cannot hold alpha
    hdr: Coding | None = None  # for HLG and PQ, where `opaque` has 8 bits
    gray: Coding | None = None  # for mattes, where there is something better than three channels
    tag: str = ""  # the code for the codec that players look for
    audio: tuple[str, ...] = ()  # codecs whose packets it takes as they are; () for all
    audio_encoder: str = ""  # for the others
    holds_pixel_aspect: bool = True
    least: tuple[int, int] = (1, 1)  # height and width that its encoder takes


PCM = tuple(f"pcm_{bits}{end}" for bits in ("s16", "s24", "s32", "f32") for end in ("le", "be"))
MOV_AUDIO = ("aac", "mp3", "ac3", "eac3", "alac", *PCM)
MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")

H264: Options = {"crf": "16", "preset": "fast"}
# With B-frames x265 gives clips of one or two frames times that no container takes.
H265: Options = {"crf": "18", "preset": "fast", "x265-params": "log-level=error:bframes=0"}
VP9: Options = {"crf": "16", "b": "0", "row-mt": "1", "cpu-used": "4", "deadline": "good"}
FFV1: Options = {"level": "3", "slices": "4", "slicecrc": "1"}


def prores(pixels: str, profile: str, ks_profile: str) -> Coding:
    """`prores` is four times as fast as `prores_ks`, which alone takes odd sides."""
    ks = Coding("prores_ks", pixels, {"profile": ks_profile, "vendor": "apl0"})
    return Coding("prores", pixels, {"profile": profile}, ks)


VIDEO_FORMATS: dict[str, VideoFormat] = {
    "prores": VideoFormat(
        ".mov",
        "mov",
        prores("yuv444p10le", "4", "4444"),
        prores("yuva444p10le", "4", "4444"),
        audio=MOV_AUDIO,
        audio_encoder="pcm_s24le",
    ),
    "prores422": VideoFormat(
        ".mov", "mov", prores("yuv422p10le", "3", "hq"), audio=MOV_AUDIO, audio_encoder="pcm_s24le"
    ),
    "webm": VideoFormat(
        ".webm",
        "webm",
        Coding("libvpx-vp9", "yuv420p", VP9),
        # Alternate reference frames and alpha do not go together in libvpx. At a crf of 16 a noisy
        # alpha was 1.15 of 255 off in the mean, at 10 0.93, at 4 0.65.
        Coding("libvpx-vp9", "yuva420p", {**VP9, "crf": "8", "auto-alt-ref": "0"}),
        audio=("opus", "vorbis"),
        audio_encoder="libopus",
        holds_pixel_aspect=False,  # PyAV 18 gives the container none
    ),
    "av1": VideoFormat(
        ".mp4",
        "mp4",
        Coding("libsvtav1", "yuv420p10le", {"crf": "20", "preset": "8"}),
        audio=MP4_AUDIO,
        audio_encoder="aac",
        least=(4, 4),
    ),
    "h264": VideoFormat(
        ".mp4",
        "mp4",
        Coding("libx264", "yuv420p", H264, Coding("libx264", "yuv444p", H264)),
        hdr=Coding("libx264", "yuv420p10le", H264, Coding("libx264", "yuv444p10le", H264)),
        audio=MP4_AUDIO,
        audio_encoder="aac",
    ),
    "h265": VideoFormat(
        ".mp4",
        "mp4",
        Coding("libx265", "yuv420p10le", H265, Coding("libx265", "yuv444p10le", H265)),
        tag="hvc1",  # QuickTime and Safari show no hev1
        # x265 (of PyAV 18) refuses fewer than 16 lines, and broke memory at each of 10 widths that
        # were tried from 16 to 48, whatever the height (glibc's MALLOC_CHECK_), at none of 11 from
        # 49 to 64.
        least=(16, 64),
        audio=MP4_AUDIO,
        audio_encoder="aac",
    ),
    "ffv1": VideoFormat(
        ".mkv",
        "matroska",
        Coding("ffv1", "gbrp16le", FFV1),
        Coding("ffv1", "gbrap16le", FFV1),
        gray=Coding("ffv1", "gray16le", FFV1),
        audio_encoder="flac",
        holds_pixel_aspect=False,
        least=(2, 2),  # a slice has a line at least
    ),
}


def coding_of(
    name: str, *, size: tuple[int, int], alpha: bool = False, gray: bool = False, hdr: bool = False
) -> Coding:
    """How pictures (H, W) of a kind are coded in a format; raises BadInput for what it cannot."""
    form = VIDEO_FORMATS[name]
    if alpha and form.alpha is None:
        able = [key for key, other in VIDEO_FORMATS.items() if other.alpha]
        raise BadInput(
            f"output={name} cannot hold alpha: take one of {', '.join(able)}, or give background=, "
            "or leave com out of outputs"
        )
    if size[0] < form.least[0] or size[1] < form.least[1]:
        (H, W), (least_H, least_W) = size, form.least
        raise BadInput(
            f"output={name} takes no pictures below {least_W}x{least_H}, found {W}x{H}: "
            "output=h264 takes any size"
        )
    coding = form.alpha if alpha and form.alpha else form.opaque
    if gray and form.gray:
        coding = form.gray
    elif hdr and not alpha and form.hdr:
        coding = form.hdr
    odd = size[0] % 2 or size[1] % 2
    return coding.odd if odd and coding.odd else coding
