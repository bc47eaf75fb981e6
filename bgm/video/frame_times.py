"""Whether the frames of a video follow each other evenly."""

from pathlib import Path

from bgm.errors import BadInput
from bgm.video.video_formats import open_video, pyav

OFF_BEAT = 0.25  # of a frame's length: less is rounding of clocks, which nobody sees


def has_varying_times(path: str | Path) -> bool:
    """Whether a frame is shown off the even beat of its video's mean rate; decodes nothing.

    False where the file gives no times. Raises BadInput for what is no video, or is damaged.
    """
    av, shown = pyav(f"reading video {path}"), list[int | None]()
    with open_video(path) as (container, stream):
        try:
            shown += [p.pts for p in container.demux(stream) if p.size and not p.is_discard]
        except (av.FFmpegError, OSError) as error:
            raise BadInput(f"video {path} cannot be read ({error})") from None
    times = sorted(time for time in shown if time is not None)
    if len(times) < len(shown) or len(times) < 3:
        return False
    first, mean = times[0], (times[-1] - times[0]) / (len(times) - 1)
    # Clocks of whole milliseconds are one tick off and on.
    allowed = max(OFF_BEAT * mean, 1)
    return any(abs(time - first - i * mean) > allowed for i, time in enumerate(times))
