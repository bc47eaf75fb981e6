"""Where mattes of videos go: a video in one folder for each kind of output."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from bgm.colour import Encoding
from bgm.errors import BadInput, Stopped
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame
from bgm.infer.outputs import Background, check_outputs, for_screen, open_background
from bgm.infer.sinks import check_writable, output_path
from bgm.ops import composite
from bgm.video.decode import Header
from bgm.video.encode import VideoFile
from bgm.video.video_formats import VIDEO_FORMATS, coding_of, pyav

ALPHA = ("straight", "premultiplied")
PLAIN = Encoding("bt709", "bt709")  # of mattes: players show their numbers as they are
ROWS = 32  # of a picture at a time: what they need stays in the cache


class VideoSink:
    """Writes out/KIND/NAME.mov (or .mp4, .webm, .mkv) with the frames' own times and colours.

    rate: frames per second, as the source has it. output: a key of VIDEO_FORMATS for all kinds, or
    None: ProRes 4444 for a `com` with alpha, H.264 for everything else. alpha: "straight" or
    "premultiplied", how `com` keeps its colours. source: the video that the frames are of, whose
    audio, timecode and pixel aspect go along. say: takes a sentence, once a clip, for each thing
    that is not as in the source. outputs, background and construction as for `PictureSink`. A file
    gets its name when the block is left, or when frames of another name follow. A block that ends
    with BadInput (a damaged frame) or Stopped leaves the frames before it as NAME.incomplete.mov;
    any other error leaves nothing.
    """

    def __init__(
        self,
        out: str | Path,
        outputs: Iterable[str] | None = ("com", "pha", "fgr"),
        background: str | Path | Sequence[int] | None = None,
        *,
        rate: Fraction | int,
        output: str | None = None,
        alpha: str = "straight",
        source: Header | None = None,
        say: Callable[[str], None] = print,
    ):
        pyav("writing video")
        if output is not None and output not in VIDEO_FORMATS:
            raise BadInput(f"output: found {output}, expected one of {', '.join(VIDEO_FORMATS)}")
        if alpha not in ALPHA:
            raise BadInput(f"alpha: found {alpha}, expected one of {', '.join(ALPHA)}")
        if not rate > 0:
            raise BadInput(f"rate: found {rate}, expected frames per second above 0")
        self.rate, self.output, self.alpha = Fraction(rate), output, alpha
        self.out, self.outputs = Path(out), check_outputs(outputs)
        self.background = None if background is None else open_background(background)
        for kind in self.outputs:
            form = self._form(kind)
            size = source.size if source else VIDEO_FORMATS[form].least
            coding_of(form, size=size, alpha=self._has_alpha(kind))
        self._source, self._say = source, say
        self._said: set[str] = set()
        self._name, self._count = "", 0
        self._rgba = torch.empty(0)  # of the last frame: fresh memory takes longer than its numbers
        self._files: dict[str, VideoFile] = {}
        for kind in self.outputs:
            check_writable(self.out / kind)

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        if kind is None:
            self._end()
            return
        ended = error if isinstance(error, BadInput | Stopped) else None
        kept = self._keep_part() if ended else []
        self._discard()
        if ended and kept:
            raise type(ended)(
                f"{error}; the {self._count} frames before are kept in {', '.join(kept)}"
            ) from None

    def existing(self, name: str, frames: int | None = None) -> list[Path] | None:
        """The file of each output of a clip of any frames, or None where one is missing."""
        files = [path for paths in self.targets(name).values() for path in paths]
        return files if all(file.is_file() for file in files) else None

    def targets(self, name: str, clip: bool = True) -> dict[str, list[Path]]:
        """By kind of output the file that a clip of that name is written to."""
        suffixes = {kind: VIDEO_FORMATS[self._form(kind)].suffix for kind in self.outputs}
        return {kind: [output_path(self.out / kind, name, x)] for kind, x in suffixes.items()}

    def write(self, frame: Frame, matte: Matte) -> None:
        """Append the outputs of one frame (B = 1); raises BadInput when it cannot be written."""
        if frame.name != self._name:
            self._end()
            self._name = frame.name
        for kind in self.outputs:
            x, encoding = self._render(kind, frame, matte)
            if kind not in self._files:
                self._files[kind] = self._open(kind, frame, x, encoding)
            self._files[kind].write(x, frame.time or Fraction(0))
        self._count += 1

    def _has_alpha(self, kind: str) -> bool:
        return kind == "com" and self.background is None

    def _form(self, kind: str) -> str:
        return self.output or ("prores" if self._has_alpha(kind) else "h264")

    def _open(self, kind: str, frame: Frame, x: Tensor, encoding: Encoding) -> VideoFile:
        form = self._form(kind)
        file = VideoFile(
            output_path(self.out / kind, frame.name, VIDEO_FORMATS[form].suffix),
            form,
            (x.shape[1], x.shape[2]),
            self.rate,
            channels=x.shape[0],
            encoding=encoding,
            source=self._source,
        )
        for note in file.notes:
            self._say_once(f"{frame.name}{VIDEO_FORMATS[form].suffix}: {note}")
        return file

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)

    def _render(self, kind: str, frame: Frame, matte: Matte) -> tuple[Tensor, Encoding]:
        """One output of one picture as float (C, H, W), C = 1, 3 or 4 (RGBA), and its encoding."""
        encoding = frame.src.encoding
        if kind in ("com", "fgr") and encoding.high_range:
            form = self._form(kind)
            coding = coding_of(form, size=frame.src.size, alpha=self._has_alpha(kind), hdr=True)
            if not coding.deep:
                self._say_once(
                    f"{frame.name}{VIDEO_FORMATS[form].suffix}: {encoding.primaries} "
                    f"{encoding.transfer} colours are converted to BT.709, "
                    f"output={form} cannot hold them here"
                )
                matte, encoding = for_screen(matte, encoding), PLAIN
        if self._has_alpha(kind):
            self._rgba = with_alpha(matte, self.alpha, self._rgba)
            return self._rgba, encoding
        return render_values(kind, matte, encoding, self.background)

    def _end(self) -> None:
        files, self._files = list(self._files.values()), {}
        try:
            while files:
                files[0].finish()
                incomplete(files[0].path).unlink(missing_ok=True)
                del files[0]
        finally:
            for file in files:
                file.discard()
        self._count = 0

    def _keep_part(self) -> list[str]:
        """Finish what was written so far under names that say so; the files that were made."""
        kept: list[str] = []
        while self._count and self._files and not any(f.failed for f in self._files.values()):
            kind = next(iter(self._files))
            file = self._files.pop(kind)
            try:
                file.finish(incomplete(file.path))
            except BadInput:
                break
            kept.append(str(incomplete(file.path)))
        return kept

    def _discard(self) -> None:
        for file in self._files.values():
            file.discard()
        self._files = {}


def incomplete(path: Path) -> Path:
    """The name of a video that holds the frames before a damaged one."""
    return path.with_name(f"{path.stem}.incomplete{path.suffix}")


def with_alpha(matte: Matte, alpha: str, used: Tensor) -> Tensor:
    """RGBA (4, H, W) of a matte whose foreground is straight, alpha being one of ALPHA.

    used: an earlier answer, which is written over where it has the size. Straight colours are 0
    where alpha is 0 of 8 bits: what was behind the subject must not come back when somebody drops
    the alpha channel.
    """
    pha, fgr = matte.pha[0].float(), matte.fgr[0].float()
    size = (4, *pha.shape[1:])
    rgba = used if used.shape == size and used.device == fgr.device else fgr.new_empty(size)
    for part, colours, cover in zip(*(x.split(ROWS, 1) for x in (rgba, fgr, pha)), strict=True):
        shown = cover if alpha == "premultiplied" else (cover >= 0.5 / 255).float()
        torch.mul(colours, shown, out=part[:3])
        part[3:] = cover
    return rgba


def render_values(
    kind: str, matte: Matte, encoding: Encoding, background: Background | None
) -> tuple[Tensor, Encoding]:
    """One output of one picture as float (C, H, W), C = 1 or 3, and its encoding.

    matte.fgr is in `encoding`, and so is what comes back; pha, err and ref are plain numbers.
    """
    pha, fgr = matte.pha[0].float(), matte.fgr[0].float()
    match kind:
        case "com" if background is not None:
            H, W = pha.shape[-2:]
            behind = background(H, W, encoding).to(pha.device)
            return composite(fgr, pha, behind), encoding
        case "pha":
            return pha, PLAIN
        case "fgr":
            return fgr, encoding
        case "err":
            return matte.err()[0].float(), PLAIN
        case "ref":
            return matte.ref()[0].float(), PLAIN
    raise BadInput(f"outputs: found {kind}")
