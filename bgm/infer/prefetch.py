"""Threads that read the next frames, compute some at a time, and write the last ones."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from queue import Empty, Full, Queue
from typing import Any, TypeVar

import torch

from bgm.errors import BadInput, Stopped

T = TypeVar("T")
R = TypeVar("R")
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


def in_order(
    work: Callable[[T], R], items: Iterable[T], at_once: int = 1
) -> Generator[tuple[T, R], None, None]:
    """Yield (item, work(item)) in the order of items, which are read in this thread.

    at_once: calls of work that run at a time, each in a thread with its share of PyTorch's cores;
    1: here, one after the other. When items end with BadInput or Stopped, what was begun comes
    first.
    """
    if at_once == 1:
        for item in items:
            yield item, work(item)
            del item  # not beside the next one
        return
    waiting: deque[tuple[T, Future[R]]] = deque()
    iterator, ended = iter(items), None
    with shared_cores(at_once) as cores, threads_of(at_once, cores) as pool:
        try:
            while ended is None:
                try:
                    item = next(iterator)
                except (StopIteration, BadInput, Stopped) as error:
                    ended = error
                    break
                waiting.append((item, pool.submit(work, item)))
                del item
                if len(waiting) > at_once:  # one waits, so that no thread does
                    yield finished(waiting)
            while waiting:
                yield finished(waiting)
        finally:
            for _, future in waiting:
                future.cancel()
    if not isinstance(ended, StopIteration):
        raise ended


def finished(waiting: deque[tuple[T, Future[R]]]) -> tuple[T, R]:
    """The first of those that wait, when it is done."""
    item, future = waiting.popleft()
    return item, future.result()


def threads_of(number: int, cores: int) -> ThreadPoolExecutor:
    """Threads whose PyTorch computes on so many cores each."""
    return ThreadPoolExecutor(
        number, "bgm-network", initializer=torch.set_num_threads, initargs=(cores,)
    )


@contextmanager
def shared_cores(number: int) -> Iterator[int]:
    """Give this thread, and those begun in the block, a share of PyTorch's cores; how many."""
    all_cores = torch.get_num_threads()
    share = max(all_cores // number, 1)
    torch.set_num_threads(share)
    try:
        yield share
    finally:
        torch.set_num_threads(all_cores)


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
