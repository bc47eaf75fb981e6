"""Videos: find and read them in true colours, frame by frame, and write them whole (PyAV)."""

from bgm.video.containers import VIDEOS, find_videos, pyav
from bgm.video.frame_reader import FrameReader

__all__ = ["VIDEOS", "FrameReader", "find_videos", "pyav"]
