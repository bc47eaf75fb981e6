"""Videos: find and read them in true colours, frame by frame, and write them whole (PyAV)."""

from bgm.video.frame_reader import FrameReader
from bgm.video.video_formats import VIDEOS, find_videos, pyav

__all__ = ["VIDEOS", "FrameReader", "find_videos", "pyav"]
