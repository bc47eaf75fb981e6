import pytest
import torch

from bgm.errors import BadInput
from bgm.infer.memory import LEAST, PLANS, bytes_needed, free_memory, memory_limit, plan_memory
from bgm.infer.predict import predict
from bgm.infer.prefetch import BackgroundWriter, prefetch
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import pictures
from bgm.pictures import write_png
from tests.infer import networks


def test_sizes_as_people_write_them():
    assert memory_limit("6GB") == 6 * 10**9
    assert memory_limit("1.5 GiB") == 3 * 2**29
    assert memory_limit(1000) == 1000
    assert memory_limit(None) == pytest.approx(free_memory(), rel=0.5)
    for wrong in ("much", "0GB", "-1GB", "6 apples"):
        with pytest.raises(BadInput, match="6GB"):
            memory_limit(wrong)


def test_the_fastest_plan_that_fits_is_taken():
    size = (4320, 7680)
    for plan in PLANS:
        assert plan_memory(bytes_needed(plan, size), size) == plan
    assert plan_memory(1, size) == LEAST
    assert plan_memory(4 * 2**30 + 10**8, size) == LEAST


def test_the_least_plan_reads_and_writes_one_after_the_other():
    seen = []

    def items():
        for number in range(3):
            seen.append(f"read {number}")
            yield number

    with BackgroundWriter(lambda x: seen.append(f"write {x}"), 0) as write:
        for item in prefetch(items(), 0):
            write(item)
    assert seen == [f"{word} {number}" for number in range(3) for word in ("read", "write")]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried 9 bytes"),
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_what_runs_out_of_memory_is_tried_once_more_and_said(tmp_path, error, times):
    for name in ("src", "bgr"):
        write_png(tmp_path / f"{name}.png", torch.zeros(3, 8, 8, dtype=torch.uint8))
    left, said = [error] * times, []

    def foreground(frame, matte):
        if left:
            raise left.pop()
        return matte

    def run():
        frames = pictures(tmp_path / "src.png", tmp_path / "bgr.png")
        sink = PictureSink(tmp_path / "out", ["pha"])
        return predict(
            networks.refine, frames, sink, foreground=foreground, say=said.append, plan=LEAST
        )

    if times == 1:
        assert run() == 1
    else:
        with pytest.raises(RuntimeError, match="memory"):
            run()
    (sentence,) = said
    assert sentence.startswith("src: out of memory (")
    assert sentence.endswith("once more with less at a time")
