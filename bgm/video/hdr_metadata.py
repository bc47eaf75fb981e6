"""What HDR10 says beside its pictures: the screen they were graded on, their brightest light."""

import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from bgm.video.video_formats import Options, VideoFormat

# FFmpeg's structures: x and y of red, green, blue and white, least and most luminance, as pairs of
# whole numbers, and whether both kinds are there; MaxCLL and MaxFALL.
SCREEN, LIGHT = struct.Struct("=20i2i"), struct.Struct("=2I")
# HDR that changes from scene to scene, which no encoder of PyAV writes.
DYNAMIC = ("DYNAMIC_HDR_PLUS", "DYNAMIC_HDR_VIVID", "DOVI_METADATA", "DOVI_RPU_BUFFER")


class HdrMetadata(NamedTuple):
    """The static metadata of HDR10 (SMPTE ST 2086, CTA-861.3), and whether there is more."""

    screen: tuple[Fraction, ...] = ()  # xy of red, green, blue, white; least and most cd/m2
    light: tuple[int, ...] = ()  # MaxCLL and MaxFALL, cd/m2
    dynamic: bool = False

    def __bool__(self) -> bool:
        return bool(self.screen or self.light)


def hdr_metadata_of(frame: Any) -> HdrMetadata:
    """Of a decoded frame of PyAV."""
    found = {side.type.name: side for side in frame.side_data}
    screen: tuple[Fraction, ...] = ()
    light: tuple[int, ...] = ()
    if data := found.get("MASTERING_DISPLAY_METADATA"):
        *pairs, has_primaries, has_luminance = SCREEN.unpack(bytes(data)[: SCREEN.size])
        if has_primaries and has_luminance and all(pairs[1::2]):
            screen = tuple(Fraction(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True))
    if data := found.get("CONTENT_LIGHT_LEVEL"):
        light = LIGHT.unpack(bytes(data)[: LIGHT.size])
    return HdrMetadata(screen, light, any(name in found for name in DYNAMIC))


def _whole(steps: int) -> Callable[[Fraction], str]:
    return lambda x: str(round(x * steps))


def _plain(x: Fraction) -> str:
    return f"{float(x):.6g}"


class _Words(NamedTuple):
    """How an encoder is told of both."""

    option: str
    screen: str
    light: str
    xy: Callable[[Fraction], str]
    luminance: Callable[[Fraction], str]


WORDS = {
    "libx265": _Words("x265-params", "master-display", "max-cll", _whole(50_000), _whole(10_000)),
    "libx264": _Words("x264-params", "mastering-display", "cll", _whole(50_000), _whole(10_000)),
    "libsvtav1": _Words("svtav1-params", "mastering-display", "content-light", _plain, _plain),
}


def takes_hdr_metadata(form: VideoFormat) -> bool:
    """Whether a format keeps it."""
    return (form.hdr or form.opaque).encoder in WORDS


def with_hdr_metadata(options: Options, encoder: str, metadata: HdrMetadata) -> Options | None:
    """An encoder's options that write the metadata too; None where it takes none."""
    if not metadata:
        return dict(options)
    if encoder not in WORDS:
        return None
    words = WORDS[encoder]
    params = [options[words.option]] if words.option in options else []
    if metadata.screen:
        *xy, least, most = metadata.screen
        names, numbers = ("R", "G", "B", "WP"), iter(words.xy(value) for value in xy)
        places = {name: f"{name}({next(numbers)},{next(numbers)})" for name in names}
        luminance = f"L({words.luminance(most)},{words.luminance(least)})"
        colours = "".join(places[name] for name in ("G", "B", "R", "WP"))
        params.append(f"{words.screen}={colours}{luminance}")
    if metadata.light:
        params.append(f"{words.light}={metadata.light[0]},{metadata.light[1]}")
    return {**options, words.option: ":".join(params)}
