"""Video clips as subjects: fgr and pha as pairs of videos, any frame read by its number."""

import os
from bisect import bisect_right
from collections import OrderedDict
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from bgm.data.folders import Subjects, snap_ends
from bgm.data.interfaces import SubjectSource
from bgm.data.loaders.file_snapshot import FileSnapshot
from bgm.errors import BadInput
from bgm.pictures import by_stem, one_size, pair_by_stem, walk_files
from bgm.video import FrameReader, find_videos

OPEN = 4  # clips a process keeps open; a 4K decoder takes some 200 MB


class Clips(SubjectSource):
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
        snapshot: FileSnapshot | None = None,
    ) -> None:
        self.has_fgr, self.snap = use_fgr, snap
        videos = {kind: find_videos(Path(root) / kind) for kind in ("fgr", "pha")}
        self.stems = pair_by_stem(**videos)
        if snapshot:
            snapshot.check_same(self.stems, root)
        self.videos = {kind: [str(paths[s]) for s in self.stems] for kind, paths in videos.items()}
        self.frames = [_frames(*pair) for pair in zip(*self.videos.values(), strict=True)]
        self.starts = np.cumsum([0, *self.frames]).tolist()
        self._open: OrderedDict[int, tuple[FrameReader, FrameReader]] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return self.starts[-1]

    def name(self, index: int) -> str:
        """Stem of a frame: that of its clip, and its number."""
        clip, frame = self._place(index)
        return f"{self.stems[clip]}/{frame:06d}"

    def describe(self) -> dict:
        """What tells these clips from others: stems, frames, file sizes in bytes, options."""
        sizes = {kind: [os.stat(path).st_size for path in p] for kind, p in self.videos.items()}
        options = {"has_fgr": self.has_fgr, "snap": self.snap}
        return {"stems": self.stems, "frames": self.frames, "bytes": sizes, **options}

    def file_snapshot(self) -> FileSnapshot:
        """What a resumed run has to find again."""
        return FileSnapshot(self.stems, {}, {})

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One frame as an "RGBA" picture, straight alpha, at its full size."""
        clip, number = self._place(index)
        fgr, pha = (Image.fromarray(reader.read(number)) for reader in self._readers(clip))
        name = self.name(index)
        one_size({f"fgr of {name}": fgr.size[::-1], f"pha of {name}": pha.size[::-1]})
        fgr.putalpha(snap_ends(pha.getchannel("G"), self.snap))
        return fgr

    def keyframe_every(self, clip: int) -> float:
        """Frames from one keyframe of a clip to the next, in the mean."""
        return self._readers(clip)[0].keyframe_every

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_open": OrderedDict(), "_inherited": None}  # workers open anew

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
            fgr, pha = (FrameReader(self.videos[kind][clip]) for kind in ("fgr", "pha"))
            self._open[clip] = (fgr, pha)
        self._open.move_to_end(clip)
        return self._open[clip]


def holds_clips(root: str | Path) -> bool:
    """Whether a folder's fgr/ has videos in it; BadInput if it has pictures beside them."""
    folder = Path(root) / "fgr"
    videos = find_videos(folder, needed=False)
    pictures, _ = by_stem(walk_files(folder)) if videos else ({}, 0)
    if pictures:
        picture, video = (next(iter(files.values())) for files in (pictures, videos))
        raise BadInput(f"{folder} holds pictures and videos, {picture} and {video}: keep one kind")
    return bool(videos)


def open_subjects(root: str | Path, **options) -> Subjects | Clips:
    """Subjects of a folder, whatever it holds: pictures, RGBA files, shards, a zip, or clips."""
    return Clips(root, **options) if holds_clips(root) else Subjects(root, **options)


def _frames(fgr: str, pha: str) -> int:
    """Number of frames of a pair, as the headers say of its files."""
    with closing(FrameReader(fgr)) as colours, closing(FrameReader(pha)) as alphas:
        n, m = colours.frames, alphas.frames
        one_size({fgr: colours.size[::-1], pha: alphas.size[::-1]})
    if n != m or n < 1:
        raise BadInput(
            f"{fgr} has {n} frames and {pha} has {m}: they must have the same, 1 or more"
        )
    return n
