"""Threads that read the next frames and write the last ones while the network computes."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, nullcontext
from queue import Empty, Full, Queue
from typing import Any, TypeVar

from bgm.errors import BadInput, Stopped

T = TypeVar("T")
DEPTH = 3  # frames that may wait: 4K frames are 25 MB each


def prefetch(items: Iterable[T], depth: int = DEPTH) -> Generator[T, None, None]:
    """Yield items in order while a thread reads up to `depth` of them in advance.

    An error of the source is raised here, after the items before it. Closing the generator stops
    the thread and closes the source, if that is a generator. depth 0: read when asked, no thread.
    """
    if depth == 0:
        with closing(items) if isinstance(items, Generator) else nullcontext():
            yield from items
        return
    queue: Queue[tuple[str, Any]] = Queue(depth)
    stop = threading.Event()

    def put(kind: str, value: Any = None) -> None:
        while not stop.is_set():
            try:
                return queue.put((kind, value), timeout=0.1)
            except Full:
                continue

    def read() -> None:
        iterator = iter(items)
        try:
            with closing(iterator) if isinstance(iterator, Generator) else nullcontext():
                for item in iterator:
                    put("item", item)
                    if stop.is_set():
                        break
            put("end")
        except BaseException as error:
            put("error", error)

    thread = threading.Thread(target=read, name="bgm-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = queue.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stop.set()
        thread.join()


class BackgroundWriter:
    """Calls `write(*args)` in a thread, in order, with at most `depth` calls waiting.

    An error of `write` is raised by the next call or on leaving the `with` block, which waits for
    the calls that are left, also when the block ends with BadInput or Stopped: what was computed is
    not lost. When it fails otherwise, what still waits is dropped. depth 0: called at once, no
    thread.
    """

    def __init__(self, write: Callable[..., None], depth: int = DEPTH):
        self._write, self._at_once = write, depth == 0
        self._queue: Queue[tuple[Any, ...] | None] = Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="bgm-writer", daemon=True)

    def __enter__(self) -> "BackgroundWriter":
        if not self._at_once:
            self._thread.start()
        return self

    def __call__(self, *args: Any) -> None:
        if self._at_once:
            self._write(*args)
            return
        self._raise()
        self._queue.put(args)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if self._at_once:
            return
        if kind is not None and not issubclass(kind, BadInput | Stopped):
            self._drop()
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def _run(self) -> None:
        while (args := self._queue.get()) is not None:
            if self._error is None:  # after an error the queue is only drained: nobody may block
                try:
                    self._write(*args)
                except BaseException as error:
                    self._error = error

    def _drop(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            pass

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
