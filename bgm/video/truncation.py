"""Tell a video that is cut off, as by a download that stopped, before anything is computed."""

import re
import struct
from pathlib import Path
from typing import Any, BinaryIO

from bgm.errors import BadInput

BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"meta"}
BOXES |= {b"sidx", b"ssix", b"mfra", b"styp", b"emsg", b"pnot", b"prft", b"pdin"}
SEGMENT, EBML = 0x18538067, 0x1A45DFA3
# Formats that state a length of their own; of others FFmpeg's duration is a guess from the file.
STATES_DURATION = {"matroska", "webm", "flv", "mxf", "asf"}
Y4M = b"YUV4MPEG2 "
# Of its word for colours: how many pixels share a sample across and down, and how many such planes.
Y4M_CHROMA = {
    "420": (2, 2, 2),
    "422": (2, 1, 2),
    "444": (1, 1, 2),
    "411": (4, 1, 2),
    "mono": (1, 1, 0),
}
SLACK = 1.0  # seconds by which the packets may be shorter than the duration that the header states


def check_length(path: str | Path) -> None:
    """Raise BadInput for a file that ends before its own structure says, see `missing_bytes`."""
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        raise BadInput(f"video {path} is empty (0 bytes)")
    with open(path, "rb") as file:
        end = missing_bytes(file, size)
    if end > size:
        raise BadInput(
            f"video {path} is cut off: it has {size:,} bytes, its header expects {end:,} (a "
            "download that stopped?): get it again, or keep what is there with "
            f"ffmpeg -i {path.name} -c copy part{path.suffix}"
        )


def missing_bytes(file: BinaryIO, size: int) -> int:
    """The size in bytes that a file should have; `size`, what it has, where nothing says more.

    Reads the top level of MP4 and MOV (ISO 14496-12, boxes), of Matroska and WebM (RFC 8794, the
    segment), of AVI (RIFF chunks) and of Y4M (frames of one length). Edit lists, which show fewer
    frames, play no part in it.
    """
    start = file.read(12)
    if start[:4] == b"RIFF":
        return _riff_end(file, size)
    if int.from_bytes(start[:4], "big") == EBML:
        return _segment_end(file, size)
    if start.startswith(Y4M):
        return _frames_end(file, size)
    if start[4:8] in BOXES:
        return _boxes_end(file, size)
    return size


def check_duration(path: str | Path, container: Any, stream: Any) -> None:
    """Raise BadInput when packets end long before the duration that the file's header states.

    container, stream: open in PyAV, and left at the start. For formats whose pieces follow each
    other without a total (fragmented MP4, live WebM, FLV), cut off between two of them; and for an
    index of samples that points behind the end of the file.
    """
    size = Path(path).stat().st_size
    entries = stream.index_entries
    last = max(((e.pos + e.size) for e in entries), default=0) if entries is not None else 0
    names = set(container.format.name.split(","))
    if "mp4" in names and last > size:
        raise BadInput(
            f"video {path} is cut off: its index points to byte {last:,}, it has {size:,}"
        )
    stated = container.duration
    if not (stated and names & STATES_DURATION) and not ("mp4" in names and _fragmented(path)):
        return
    if not stated:
        return
    first = container.start_time or 0
    container.seek(int(first + max(0, stated - 4_000_000)), backward=True)
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux()
        if packet.pts is not None and packet.time_base
    ]
    found = max(ends, default=0.0)  # Matroska counts from 0, wherever its first picture lies
    container.seek(int(first), backward=True)
    if found < stated / 1e6 - SLACK:
        raise BadInput(
            f"video {path} is cut off: it ends after {found:.1f} s, its header expects "
            f"{stated / 1e6:.1f} s: get it again"
        )


def _boxes_end(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack(">I4s", head[:8])
        if kind not in BOXES:
            return size  # something was appended
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length == 0:  # up to the end of the file, as live recorders write
            return size
        if length < 8:
            return size
        at += length
    return max(at, size)


def _segment_end(file: BinaryIO, size: int) -> int:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        width = 9 - head[0].bit_length() if head else 9
        kind = int.from_bytes(head[:width], "big")
        length, used = _vint(head[width:])
        if length is None or kind not in (EBML, SEGMENT, 0xEC):
            return size
        at += width + used + length
    return max(at, size)


def _vint(data: bytes) -> tuple[int | None, int]:
    """(a variable-length size of EBML, its own bytes); None for "unknown"."""
    if not data or not data[0]:
        return None, 1
    width = 9 - data[0].bit_length()
    value = int.from_bytes(data[:width], "big") & ((1 << (7 * width)) - 1)
    return (None if value == (1 << (7 * width)) - 1 else value), width


def _frames_end(file: BinaryIO, size: int) -> int:
    """Of Y4M, whose frames are all as long: a line that begins with FRAME, then their planes."""
    file.seek(0)
    words = [word.decode("ascii", "replace") for word in file.readline(1000).split()[1:]]
    known = {word[:1]: word[1:] for word in words}
    try:
        width, height, chroma = int(known["W"]), int(known["H"]), known.get("C", "420")
    except (KeyError, ValueError):
        return size
    kind = next((x for x in Y4M_CHROMA if chroma.startswith(x)), None)
    if kind is None:
        return size
    across, down, planes = Y4M_CHROMA[kind]
    depth = 2 if re.search(r"(p|mono)\d\d$", chroma) else 1  # 420p10, 422p12, mono16
    small = -(-width // across) * -(-height // down)
    length = (width * height + planes * small) * depth
    at = file.tell()
    while at < size:
        file.seek(at)
        line = file.readline(1000)
        if not b"FRAME".startswith(line[:5]) and not line.startswith(b"FRAME"):
            return size  # something was appended
        at += len(line) + length
    return max(at, size)


def _riff_end(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 8 <= size:  # files above 1 GB have several
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or length == 0:
            return size
        at += 8 + length + length % 2
    return max(at, size)


def _fragmented(path: str | Path) -> bool:
    size, at = Path(path).stat().st_size, 0
    with open(path, "rb") as file:
        while at + 16 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if kind == b"moof":
                return True
            if length == 1:
                length = struct.unpack(">Q", file.read(8))[0]
            if length < 8:
                return False
            at += length
    return False
