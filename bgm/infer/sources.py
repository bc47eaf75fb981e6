"""Where frames come from: a picture, a folder of pictures, a video, each with its plate."""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from fractions import Fraction
from itertools import repeat
from pathlib import Path

from bgm.errors import BadInput
from bgm.infer.frame import Frame, Shot
from bgm.pictures import (
    EXTENSIONS,
    RAW,
    find_pictures,
    is_deep,
    open_image,
    pair_by_stem,
    picture_size,
    read_encoded,
)
from bgm.pictures.size_limit import check_pixels
from bgm.video import VIDEOS
from bgm.video.decode import Header, decode, read_header

Broken = Callable[[str, BadInput], None]  # takes the name of a frame, and what is wrong with it
Reader = Callable[[Path], Shot]


class Pictures:
    """Frames from picture files, read when they are asked for; has a length; may be walked again.

    plates: one path or picture for every name in shots. A plate that follows itself is read once.
    read: makes a shot of a file; None: `read_shot`. fit: plates may have other sizes (`FitPlate` is
    to follow). broken: takes the frames that cannot be read, which are then left out; without it,
    and where nothing else is there, BadInput is raised, as for the plate of all.
    """

    def __init__(
        self,
        shots: dict[str, Path],
        plates: Mapping[str, Path | Shot],
        read: Reader | None = None,
        fit: bool = False,
        broken: Broken | None = None,
    ):
        self.shots, self.plates, self.read, self.fit = shots, plates, read or read_shot, fit
        self.names = list(shots)  # of all frames, in order
        self.broken = broken
        self._one_plate = len(set(plates.values())) == 1
        self._check_headers()

    def __len__(self) -> int:
        return len(self.shots)

    def __iter__(self) -> Iterator[Frame]:
        last: Path | Shot | None = None
        bgr: Shot | None = None
        for name, path in self.shots.items():
            try:
                if bgr is None or self.plates[name] != last:
                    last, bgr = self.plates[name], None
                    bgr = self._read_plate(last)
                src = self.read(path)
                if not self.fit:
                    check_size(path, src.size, last, bgr.size)
            except BadInput as error:
                if self.broken is None or len(self.names) == 1 or (bgr is None and self._one_plate):
                    raise
                self.broken(name, error)
                continue
            bgr = bgr.encoded_as(src.encoding)
            yield Frame(name, src, bgr)

    def _read_plate(self, plate: Path | Shot) -> Shot:
        return plate if isinstance(plate, Shot) else self.read(plate)

    def without(self, names: list[str]) -> "Pictures":
        """The same frames but for these; `names` stays that of all."""
        shots = {name: path for name, path in self.shots.items() if name not in set(names)}
        rest = copy(self)
        rest.shots = shots
        return rest

    def _check_headers(self) -> None:
        """Compare headers before anything is computed: a run must not end at its last picture.

        Where `broken` takes single frames, one that fits is enough.
        """
        first: BadInput | None = None
        sizes: dict[Path | Shot, tuple[int, int]] = {}
        for name, path in self.shots.items():
            plate = self.plates[name]
            try:
                if plate not in sizes:
                    sizes[plate] = plate.size if isinstance(plate, Shot) else picture_size(plate)
                size = picture_size(path)
                if not self.fit:
                    check_size(path, size, plate, sizes[plate])
            except BadInput as error:
                if self.broken is None:
                    raise
                first = first or error
            else:
                if self.broken is not None:
                    return
        if first is not None:
            raise first


def read_shot(path: str | Path, linear: bool | None = None) -> Shot:
    """A picture file in its own encoding, see `read_encoded`; of finite numbers, see `finite`."""
    return Shot.of_finite(*read_encoded(path, linear))


def pictures(
    src: str | Path,
    bgr: str | Path | Shot,
    read: Reader | None = None,
    fit: bool = False,
    broken: Broken | None = None,
) -> Pictures:
    """Frames of a picture or a folder (any depth) with one plate for all or a folder of plates.

    Folders pair by relative stem; a single picture takes its namesake out of a folder of plates.
    Raises BadInput for missing or empty folders, stems without partner (first ten named) and for
    a shot and a plate of different sizes, all before the first frame.
    """
    src = Path(src)
    shots = find_pictures(src) if src.is_dir() else {src.stem: _existing(src)}
    if isinstance(bgr, Shot):
        return Pictures(shots, dict.fromkeys(shots, bgr), read, fit, broken)
    bgr = Path(bgr)
    if not bgr.is_dir():
        return Pictures(shots, dict.fromkeys(shots, _existing(bgr)), read, fit, broken)
    plates = find_pictures(bgr)
    if src.is_dir():
        pair_by_stem(src=shots, bgr=plates)
    elif src.stem not in plates:
        raise BadInput(
            f"folder {bgr} holds {len(plates)} plates but none named {src.stem} for {src}:"
            " name one picture as bgr, or add that plate"
        )
    return Pictures(shots, plates, read, fit, broken)


class Clip:
    """Frames of a video, decoded when they are walked through; may be walked again."""

    def __init__(self, path: Path, plate: Path | Shot, fit: bool = False):
        self.path, self.plate = path, plate
        self._still: Shot | None = None
        self.doubt = ""  # a sentence, where the plate may end before the shot
        self.header = read_header(path)
        self.size, self.rate, self.frames = self.header.size, self.header.rate, self.header.frames
        check_pixels(path, self.size[0] * self.size[1])
        if isinstance(plate, Shot) or is_picture(plate):
            self._still = plate if isinstance(plate, Shot) else read_shot(plate)
            if not fit:
                check_size(path, self.size, plate, self._still.size)
            return
        other = read_header(plate)
        if not fit:
            check_size(path, self.size, plate, other.size)
        # No reason to refuse: a header's number is wrong where an edit list cuts the clip.
        if 0 < other.frames < self.frames:
            self.doubt = (
                f"{path} has {self.frames} frames by its header, bgr {plate} {other.frames}: if"
                " that is so, matting ends with the plate"
            )

    def __iter__(self) -> Iterator[Frame]:
        plates: Iterator[tuple[Shot, Fraction | None]]
        if self._still is not None:
            plates = repeat((self._still, None))
        else:
            assert isinstance(self.plate, Path)
            plates = video_shots(self.plate)
        for count, (src, time) in enumerate(video_shots(self.path, self.header)):
            bgr, _ = next(plates, (None, None))
            if bgr is None:
                raise BadInput(
                    f"src {self.path} has more than {count} frames but bgr {self.plate} has"
                    f" {count}: take a picture as bgr"
                )
            if still := self._still:
                bgr = self._still = still.encoded_as(src.encoding)
            yield Frame(self.path.stem, src, bgr.encoded_as(src.encoding), time)


def video_shots(path: Path, header: Header | None = None) -> Iterator[tuple[Shot, Fraction]]:
    """Yield (frame in the file's own encoding, seconds since the first), see `decode`."""
    encoding = (header or read_header(path)).encoding
    for values, time in decode(path):
        yield Shot(values, encoding), time


def video(src: str | Path, bgr: str | Path | Shot | None, fit: bool = False) -> Clip:
    """Frames of a video with a picture as plate for all, or a video, frame by frame.

    Needs the extra `video` (PyAV). Raises BadInput for no plate, files that are missing, broken or
    too large, and different sizes; for a plate video of fewer frames than the shot at its end.
    """
    if bgr is None:
        raise BadInput(f"video {src} needs a plate: bgr, a picture or video of the scene alone")
    if isinstance(bgr, Shot):
        return Clip(Path(src), bgr, fit)
    if Path(bgr).is_dir():
        raise BadInput(f"bgr {bgr} is a folder: the plate of a video is one picture or one video")
    return Clip(Path(src), _existing(Path(bgr)), fit)


def is_picture(path: str | Path) -> bool:
    """Whether a file is a picture: by its suffix, else by what is in it."""
    suffix = Path(path).suffix.lower()
    if suffix in (*EXTENSIONS, *RAW, *VIDEOS):
        return suffix not in VIDEOS
    try:
        if is_deep(path):
            return True
        with open_image(path):
            return True
    except BadInput:
        return False


def check_size(
    src: str | Path, src_size: tuple[int, int], bgr: str | Path | Shot, bgr_size: tuple[int, int]
) -> None:
    """Raise BadInput naming both files if a shot and its plate differ in size = (H, W)."""
    if src_size != bgr_size:
        (H, W), (Hb, Wb) = src_size, bgr_size
        named = "the median of bgr" if isinstance(bgr, Shot) else f"bgr {bgr}"
        raise BadInput(
            f"src {src} is {W}x{H} but {named} is {Wb}x{Hb}: take the plate with the same camera"
            " and settings, or let fit=true scale and crop it to the shot's size"
        )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(f"{path} does not exist: expected a picture or a folder of pictures")
    return path
