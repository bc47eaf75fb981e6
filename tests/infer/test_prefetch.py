import threading

import pytest
import torch

from bgm.errors import BadInput, Stopped
from bgm.infer.prefetch import BackgroundWriter, in_order, prefetch

HANGS = 600  # seconds after which a thread that was to do something never will


def test_prefetch_keeps_the_order_and_reads_no_further_than_its_depth():
    read = []

    def source():
        for i in range(20):
            read.append(i)
            yield i

    items = prefetch(source(), depth=2)
    for taken in range(20):
        assert next(items) == taken
        assert len(read) <= taken + 4  # one taken, two waiting, one in hand


def test_prefetch_raises_the_sources_error_after_the_items_before_it():
    def source():
        yield 1
        raise KeyError("broken")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)


def test_closing_prefetch_early_ends_the_thread_and_closes_the_source():
    closed, threads = threading.Event(), threading.active_count()

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = prefetch(source(), depth=1)
    next(items)
    items.close()
    assert closed.wait(HANGS)
    assert threading.active_count() == threads


def test_the_writer_works_in_order_and_finishes_before_it_is_left():
    done = []
    with BackgroundWriter(done.append, depth=2) as call:
        for i in range(8):
            call(i)
    assert done == list(range(8))


def test_the_writer_raises_the_works_error_and_never_blocks():
    def work(i):
        if i == 1:
            raise OSError("disk full")

    def call_often(count):
        with BackgroundWriter(work, depth=1) as call:
            for i in range(count):
                call(i)

    for count in (50, 2):  # found by the next call; found on leaving
        with pytest.raises(OSError, match="disk full"):
            call_often(count)


@pytest.mark.parametrize(
    ("error", "finished"), [(BadInput("a damaged frame"), [0, 1, 2, 3]), (KeyboardInterrupt(), [0])]
)
def test_what_waits_is_finished_before_a_damaged_frame_and_dropped_otherwise(error, finished):
    done, started, leaving = [], threading.Event(), threading.Event()

    def work(i):
        started.set()
        assert leaving.wait(HANGS)
        done.append(i)

    def release_at_the_end(writer):
        put = writer._queue.put

        def put_and_tell(item):  # None comes last, when what waits is dropped, or not
            put(item)
            if item is None:
                leaving.set()

        writer._queue.put = put_and_tell

    def fail():
        with BackgroundWriter(work, depth=5) as call:
            release_at_the_end(call)
            for i in range(4):
                call(i)
            assert started.wait(HANGS)  # the first is in work, three wait
            raise error

    with pytest.raises(type(error)):
        fail()
    assert done == finished


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_in_order_computes_so_many_at_a_time_and_gives_them_in_order(at_once):
    together, cores = threading.Barrier(at_once), torch.get_num_threads()
    shares = set()

    def work(item):
        together.wait(HANGS)  # until so many are at it
        shares.add(torch.get_num_threads())
        return item * item

    found = list(in_order(work, range(6 * at_once), at_once))
    assert found == [(i, i * i) for i in range(6 * at_once)]
    assert shares == {max(cores // at_once, 1)}
    assert torch.get_num_threads() == cores


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("error", [BadInput("no frame"), Stopped("by Ctrl-C")])
def test_in_order_gives_what_was_begun_before_its_items_end_with_an_error(at_once, error):
    def items():
        yield from range(3)
        raise error

    found = []
    with pytest.raises(type(error)):
        found.extend(in_order(lambda item: 2 * item, items(), at_once))
    assert found == [(0, 0), (1, 2), (2, 4)]


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_error_of_the_work_comes_after_what_was_before_it(at_once):
    def work(item):
        return 1 // (3 - item)

    found = []
    with pytest.raises(ZeroDivisionError):
        found.extend(in_order(work, range(9), at_once))
    assert [item for item, _ in found] == [0, 1, 2]


def test_closing_in_order_early_ends_its_threads():
    threads = threading.active_count()
    pairs = in_order(lambda item: item, iter(range(100)), 2)
    assert next(pairs) == (0, 0)
    pairs.close()
    assert threading.active_count() == threads
