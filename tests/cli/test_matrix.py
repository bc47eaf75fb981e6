"""The export matrix: its command lines, going on where it was, a process that dies, the pages."""

import csv
import multiprocessing
import os
import re
import signal

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from bgm.cli import matrix
from bgm.cli.matrix import main
from bgm.cli.matrix import run as matrix_run
from bgm.cli.matrix.run import Result, Worker, command_lines, try_export
from bgm.errors import BadInput
from bgm.weights import write_safetensors
from tests.export.test_command import NETWORK
from tests.networks import mobile

TS = "export=torchscript crop=unfold replace=scatter_nd select=thresholding"


def lines_of(groups, only=()):
    return command_lines(OmegaConf.create(groups), ["a", "b"], list(only))


def test_command_lines_are_products_and_the_last_word_turns_fastest():
    groups = [{"export": ["onnx", "pt2"], "select": ["sampling sample_pixels=1600", "full"]}]
    lines = [" ".join(x) for x in lines_of(groups, ["ckpt=b"])]
    assert lines == [
        "ckpt=b export=onnx select=sampling sample_pixels=1600",
        "ckpt=b export=onnx select=full",
        "ckpt=b export=pt2 select=sampling sample_pixels=1600",
        "ckpt=b export=pt2 select=full",
    ]
    assert len(lines_of(groups)) == 8
    assert lines_of([{"export": "onnx", "opset": 17}])[0] == ["ckpt=a", "export=onnx", "opset=17"]
    assert len(command_lines(OmegaConf.create(groups), ["a", "b"], "onnx")) == 4
    assert [x[0] for x in lines_of(groups, ["onnx", "full"])] == ["ckpt=a", "ckpt=b"]


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.safetensors"
    write_safetensors(path, mobile().state_dict(), NETWORK)
    return path


def test_a_command_line_works_is_refused_or_is_wrong(ckpt):
    words = [f"ckpt={ckpt}", *TS.split()]
    right = try_export(words, "small")
    assert (right.status, right.message) == ("works", "")
    assert right.largest < 1e-4
    assert right.ratio > 0
    wrong = try_export([*words, "export.tolerance=1e-12"], "small")
    assert wrong.status == "wrong"
    assert "allowed 1.0e-12" in wrong.message
    refused = try_export([*words, "part=elsewhere"], "small")
    assert refused.status == "refused"
    assert "part elsewhere is none of base, refine" in refused.message


class FakeWorker:
    """In the place of a worker: all works but select=full; what it was given is remembered."""

    def __init__(self):
        self.seen = []

    def run(self, words, grid):
        self.seen.append(" ".join(words))
        if "select=full" in words:
            return Result(words, "refused", "no, thank you", grid=grid)
        return Result(words, "works", "", 1e-6, 1e-7, 0.5, 1.0, grid, 3e-7, 2.0, 2.0)

    def stop(self):
        pass


def test_a_run_goes_on_and_writes_its_pages(ckpt, tmp_path, monkeypatch):
    workers = []
    monkeypatch.setattr(matrix, "Worker", lambda: workers.append(FakeWorker()) or workers[-1])
    args = [f"ckpt={ckpt}", f"out={tmp_path / 'm'}", "only=[torchscript,float32]"]
    axes = "crop: [gather], replace: [scatter_nd], select: [sampling, thresholding, full]"
    args += [f"groups=[{{export: [torchscript], precision: [float32], {axes}}}]"]
    args += ["certified=[{export: [torchscript], precision: [float32]}]"]
    main(args)
    assert len(workers[0].seen) == 4
    table = tmp_path / "m.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:3]))  # killed after two
    main(args)
    assert workers[1].seen == workers[0].seen[2:]
    assert table.read_text().splitlines(keepends=True) == lines
    main(args)
    assert workers[2].seen == []
    main([*args, "again=true"])
    assert len(workers[3].seen) == 4
    stale = [re.sub(r"torch \d[.\d]+", "torch 1.0", line) for line in lines[1:3]]
    table.write_text("".join([lines[0], *stale, *lines[3:]]))
    main([*args, "only=[torchscript,float32,select=full]"])
    assert len(workers[4].seen) == 0
    assert "works, 1e-06, time x0.50 (a)" in (tmp_path / "m.md").read_text()
    main(args)
    assert len(workers[5].seen) == 2
    main([*args, "grid=brief"])  # the default grid holds it
    assert workers[6].seen == []

    page = (tmp_path / "m.md").read_text()
    assert "4 command lines of `export.py`, 3 work, 0 wrong, 1 refused" in page
    works = "works, 1e-06, time x0.50"
    assert f"| gather, scatter_nd | {works} | {works} | **refused** [1] |" in page
    assert "1. no, thank you" in page
    assert f"`ckpt={ckpt} export=torchscript precision=float32`" in page
    assert "torch 2." in page
    rows = list(csv.DictReader((tmp_path / "m.csv").open()))
    assert [r["status"] for r in rows].count("works") == 3
    assert rows[0]["export.py"].startswith(f"ckpt={ckpt} export=torchscript")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", rows[0]["date"])
    assert "net.safetensors sha256 " in rows[0]["made_with"]


def test_words_that_mean_nothing_end_the_run(ckpt, tmp_path):
    args = [f"ckpt={ckpt}", f"out={tmp_path / 'm'}"]
    with pytest.raises(BadInput, match="leaves no command line"):
        main([*args, "only=[export=nothing]"])
    with pytest.raises(HydraException):
        main([*args, "only=[torchscript]", "groups=[{export: [torchscript], crop: [scissors]}]"])
    assert not list(tmp_path.iterdir())
    (tmp_path / "m.md").write_text("my notes")
    with pytest.raises(BadInput, match=r"m\.md is there without .*m\.csv"):
        main(args)
    (tmp_path / "m.csv").write_text("day,hours\n1,2\n")
    with pytest.raises(BadInput, match=r"m\.csv holds no results of bgm matrix"):
        main(args)
    assert (tmp_path / "m.md").read_text() == "my notes"


def test_a_process_that_dies_is_a_refusal(monkeypatch):
    monkeypatch.setattr(matrix_run, "try_export", dies)
    other = multiprocessing.get_context("fork").Process(target=signal.pause)
    other.start()
    process = Worker("fork")
    result = process.run(["export=x"], "brief")
    assert result.status == "refused"
    assert result.message == "the process died"
    assert "died" in process.run(["export=y"], "brief").message
    process.stop()
    assert other.is_alive()  # a loader's worker, say
    other.kill()


def dies(words, grid):
    os._exit(3)
