"""benchmarks/network.py: its rows, that it goes on where it was stopped, a checkout beside it."""

import csv
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from benchmarks import network, network_cases
from benchmarks.measure import medians, peak_memory
from benchmarks.network import COLUMNS, SAME_K
from benchmarks.network_cases import Case, Size, exported, prepared, setting
from tests.networks import tiny

CHECKOUT = '''
"""As BackgroundMattingV2 is published: its names, its arguments; computed by tests/plain.py."""

from torch import nn

import bgm.model as models
from tests.plain import Plain


class MattingRefine(nn.Module):
    def __init__(
        self,
        backbone,
        backbone_scale=1 / 4,
        refine_mode="sampling",
        refine_sample_pixels=80_000,
        refine_threshold=0.1,
        refine_kernel_size=3,
        refine_prevent_oversampling=True,
        refine_patch_crop_method="unfold",
        refine_patch_replace_method="scatter_nd",
    ):
        super().__init__()
        base = models.MattingBase(getattr(models, backbone)())
        select = {
            "sampling": models.Sampling(refine_sample_pixels),
            "thresholding": models.Thresholding(refine_threshold),
            "full": models.Full(),
        }[refine_mode]
        self.backbone, self.aspp, self.decoder = base.backbone, base.aspp, base.decoder
        self.refiner = models.PatchRefiner(refine_kernel_size, select)
        self.ours = [models.MattingRefine(base, self.refiner, backbone_scale)]

    def forward(self, src, bgr):
        return tuple(Plain(self.ours[0].eval())(src, bgr))
'''
LARGE = dict(network_cases.SIZES)
SMALL = {
    "hd": Size(64, 96, 1 / 4, 480),
    "4k": Size(128, 192, 1 / 8, 960),
    SAME_K: Size(128, 192, 1 / 8, 480),
    "512 px": Size(64, 64, 1 / 4, 480),
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    (tmp_path / "their checkout" / "model").mkdir(parents=True)
    (tmp_path / "their checkout" / "model" / "__init__.py").write_text(CHECKOUT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield str(tmp_path / "their checkout")
    sys.modules.pop("model", None)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, size in SMALL.items():
        monkeypatch.setitem(network_cases.SIZES, name, size)
    monkeypatch.setattr(network, "rates", lambda clock: (1e10, 1e10))


def table(path):
    with path.with_suffix(".csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_beside_a_checkout_and_going_on(checkout, tmp_path, capsys, monkeypatch):
    out = tmp_path / "table"
    words = ["--backbones", "mobilenetv2", "--rounds", "1", "--threads", "1", "--out", str(out)]
    words += ["--reference", checkout]
    network.main([*words, "--sizes", "hd", SAME_K, "--training", "512"])
    rows = table(out)
    assert list(rows[0]) == COLUMNS
    assert [r["way"] for r in rows if r["size"] == "hd"] == [*network.WAYS, "reference"]
    assert {r["way"] for r in rows if r["select"] == "training"} == {"plain", "net"}
    assert all((float(r["ratio"]) == 1) for r in rows if r["way"] == "plain")
    assert all(bool(r["of_hd"]) == (r["size"] == SAME_K) for r in rows)
    assert all(bool(r["alpha_error"]) == (r["select"] != "training") for r in rows)
    for row in rows:
        if row["alpha_error"]:
            assert float(row["alpha_error"]) < (1e-2 if row["way"] == "bfloat16" else 1e-6)
    assert {r["binds"] for r in rows if r["select"] != "training"} <= {"arithmetic", "memory"}
    assert out.with_suffix(".svg").stat().st_size < 200_000
    capsys.readouterr()
    monkeypatch.setattr(network, "WAYS", ("plain", "optimized"))
    network.main([*words, "--sizes", "hd", "--selects", "sampling", "thresholding", "full"])
    assert table(out)[: len(rows)] == rows  # kept as they were
    measured = [line.split(" | ")[2] for line in capsys.readouterr().out.splitlines()[2:]]
    assert measured == ["thresholding"] * 3 + ["full"] * 3


def test_a_checkout_computes_what_the_network_computes(checkout):
    at = setting(network.chosen(network.asked(["--backbones", "mobilenetv2"]))[0], SMALL["hd"])
    with torch.no_grad():
        theirs, ours = prepared("reference", at, checkout)(), prepared("plain", at, None)()
    torch.testing.assert_close(theirs, ours, atol=1e-6, rtol=0)


@pytest.mark.slow  # writes an ONNX graph of every size
@pytest.mark.timeout(900)
def test_files_and_memory(tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr(network, "WAYS", ("plain", "still"))
    monkeypatch.setattr("bgm.load", lambda name: tiny())  # a graph that is soon written
    files = exported(tmp_path / "files", ["hd", "8k"], "brief")  # hd and 4k have files
    assert Path(f"{files[0]}.certificate.md").exists()
    out = tmp_path / "table"
    words = ["--backbones", "mobilenetv2", "--rounds", "1", "--threads", "1", "--memory"]
    network.main([*words, "--sizes", "hd", "--files", *files, "--out", str(out)])
    rows = {row["way"]: row for row in table(out)}
    for runtime in ("onnxruntime", "openvino f32", "openvino bf16"):
        assert float(rows[f"hd.onnx {runtime}"]["ratio"]) > 0
    assert network_cases.file_ways(Case("mobilenetv2", "4k", "sampling", 1, ()), files) == ()
    assert float(rows["plain"]["peak_MiB"]) > 0
    assert not rows["still"]["peak_MiB"]


def peak(way, size):
    """MiB of a first pass at a size that users have, not at SMALL's."""
    options = Namespace(threads=1, reference=None)
    case = Case("mobilenetv2", size, "sampling", 1, ())
    return peak_memory(network.alone, way, case, LARGE[size], options)


def test_a_pass_at_4k_needs_a_third_of_the_plain_memory():
    most = peak("plain", "4k") / 3
    for way in ("net", "optimized"):
        assert 0 < peak(way, "4k") <= most, way


def test_a_pass_at_8k_needs_little_memory():
    assert 0 < peak("optimized", "8k") < 3 * 1024


def test_rounds_end_with_the_time_but_never_before_three():
    calls = []
    runs = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    times, rounds = medians(runs, 10, clock=iter(range(100)).__next__, seconds=0)
    assert (times, rounds) == ({"a": 1, "b": 1}, 3)
    assert calls == ["a", "b"] * 4
    assert medians(runs, 10, iter(range(100)).__next__)[1] == 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--everything", "--sizes", "hd", "--batch", "2"],
            "--everything has its own --batch --sizes",
        ),
        (["--reference", "x", "--backbones", "resnet50"], "--reference is timed with"),
    ],
)
def test_options_that_would_be_ignored_are_refused(words, says, capsys):
    with pytest.raises(SystemExit):
        network.asked(words)
    assert says in capsys.readouterr().err


def test_everything_has_a_case_for_each_promise():
    cases = network.everything(network.asked(["--everything", "--files", "x", "--reference", "x"]))
    assert len({case.key for case in cases}) == len(cases)
    assert {case.select for case in cases} == {"sampling", "thresholding", "full", "training"}
    assert {case.backbone for case in cases} == {"mobilenetv2", "resnet50", "resnet101"}
    assert {case.batch for case in cases} == {1, 2, 8}
    assert {case.size for case in cases} == set(network.SIZES)
