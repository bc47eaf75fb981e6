"""Video clips as subjects: fgr and pha as pairs of videos, any frame read by its number."""

import os
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from bgm.data.folders import Subjects, snapped, split
from bgm.data.loaders.file_snapshot import Begun
from bgm.data.resizing import resize_subject
from bgm.errors import BadInput
from bgm.pictures import pair_by_stem
from bgm.video import FrameReader, find_videos

OPEN = 4  # clips a process keeps open; a 4K decoder takes some 200 MB


class Clips:
    """Subjects whose frames stay in videos: root/fgr and root/pha hold clips paired by stem.

    Every frame is an item, in the order of the clips' stems, exact by number. use_fgr and snap are
    those of `Subjects`. A process keeps its last `OPEN` clips open and decodes on from the frame
    before where it can; a jump costs the frames since the last keyframe (`bgm pack` for clips with
    few of them). Needs the extra `video`. Raises BadInput at construction for clips that do not
    pair or whose pair differs in size or number of frames.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        use_fgr: bool = True,
        snap: int = 3,
        begun: Begun | None = None,
    ) -> None:
        self.has_fgr, self.snap = use_fgr, snap
        found = {kind: find_videos(Path(root) / kind) for kind in ("fgr", "pha")}
        self.stems = pair_by_stem(**found)
        if begun:
            begun.unchanged(self.stems, root)
        self.files = {kind: [str(paths[s]) for s in self.stems] for kind, paths in found.items()}
        self.frames = [_frames(*pair) for pair in zip(*self.files.values(), strict=True)]
        self.starts = np.cumsum([0, *self.frames]).tolist()
        self._open: OrderedDict[int, tuple[FrameReader, FrameReader]] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return pha (1, H, W) and fgr (3, H, W), uint8, as they are in the clips."""
        return split(self.frame(index))

    def read(self, index: int, short: int) -> tuple[Tensor, Tensor]:
        """Return pha (1, H, W) and fgr (3, H, W), uint8, resized so that min(H, W) = short."""
        return split(resize_subject(self.frame(index), short))

    def name(self, index: int) -> str:
        """Stem of a frame: that of its clip, and its number."""
        clip, frame = self._place(index)
        return f"{self.stems[clip]}/{frame:06d}"

    def describe(self) -> dict:
        """What tells these clips from others: stems, frames, file sizes in bytes, options."""
        sizes = {kind: [os.stat(path).st_size for path in p] for kind, p in self.files.items()}
        options = {"has_fgr": self.has_fgr, "snap": self.snap}
        return {"stems": self.stems, "frames": self.frames, "bytes": sizes, **options}

    def began_with(self) -> Begun:
        """What a resumed run has to find again."""
        return Begun(self.stems, {}, {})

    def frame(self, index: int) -> Image.Image:
        """One frame as an "RGBA" picture, straight alpha."""
        clip, number = self._place(index)
        fgr, pha = (Image.fromarray(reader.read(number)) for reader in self._readers(clip))
        if fgr.size != pha.size:
            raise BadInput(f"{self.name(index)}: fgr is {fgr.size} and pha is {pha.size} pixels")
        alpha = pha.getchannel("G").point([snapped(a, self.snap) for a in range(256)])
        fgr.putalpha(alpha)
        return fgr

    def keyframe_every(self, clip: int) -> float:
        """Frames from one keyframe of a clip to the next, in the mean."""
        return self._readers(clip)[0].keyframe_every

    def __getstate__(self) -> dict:
        return self.__dict__ | {
            "_open": OrderedDict(),
            "_inherited": None,
        }  # a worker opens its own

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        clip = bisect_right(self.starts, index) - 1
        return clip, index - self.starts[clip]

    def _readers(self, clip: int) -> tuple[FrameReader, FrameReader]:
        if self._process != os.getpid():  # forked: the parent's decoders share a file position
            self._inherited = self._open  # closing them here waits for threads of the parent
            self._open, self._process = OrderedDict(), os.getpid()
        if clip not in self._open:
            while len(self._open) >= OPEN:
                for reader in self._open.popitem(last=False)[1]:
                    reader.close()
            fgr, pha = (FrameReader(self.files[kind][clip]) for kind in ("fgr", "pha"))
            self._open[clip] = (fgr, pha)
        self._open.move_to_end(clip)
        return self._open[clip]


def open_subjects(root: str | Path, **options) -> Subjects | Clips:
    """Subjects of a folder, whatever it holds: pictures, RGBA files, shards, or video clips."""
    folder = Path(root) / "fgr"
    if folder.is_dir() and find_videos(folder, needed=False):
        return Clips(root, **options)
    return Subjects(root, **options)


def _frames(fgr: str, pha: str) -> int:
    """Number of frames of a pair, told from the headers of its files."""
    readers = [FrameReader(path) for path in (fgr, pha)]
    (W, H, n), (w, h, m) = ((*r.size, r.frames) for r in readers)
    for reader in readers:
        reader.close()
    if (w, h) != (W, H):
        raise BadInput(f"{fgr} is {W}x{H} pixels and {pha} is {w}x{h}: they must have one size")
    if n != m or n < 1:
        raise BadInput(
            f"{fgr} has {n} frames and {pha} has {m}: they must have the same, 1 or more"
        )
    return n
