"""Checkpoints in every format come back as the networks they were; others are refused by name."""

import pickle
import tempfile
from pathlib import Path

import pytest
import torch
import torchvision
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

import bgm
from bgm.errors import BadInput
from bgm.model import MattingBase, MattingRefine, PatchRefiner, mobilenetv2, resnet50
from bgm.paths import conf_dir
from bgm.weights import build, from_bgmv2, initialise, read_weights, write_safetensors
from tests.weights_by_formula import by_formula, published

BASE = {"_target_": "bgm.model.MattingBase", "backbone": {"_target_": "bgm.model.mobilenetv2"}}
REFINE = {
    "_target_": "bgm.model.MattingRefine",
    "base": BASE,
    "refiner": {"_target_": "bgm.model.PatchRefiner", "kernel_size": 1},
    "backbone_scale": 0.125,
}


@pytest.mark.parametrize("config", [BASE, REFINE], ids=["base", "refine"])
def test_checkpoints_rebuild_their_network(config, tmp_path):
    net = build(config).eval()
    path = tmp_path / "with (odd), name=1.safetensors"
    write_safetensors(path, net.state_dict(), config, {"note": "x"})
    lightning = {
        "state_dict": {f"network.{k}": v for k, v in net.state_dict().items()},
        "hyper_parameters": {"network": config},
        "epoch": 1,
    }
    torch.save(lightning, tmp_path / "last.ckpt")
    for file in (path, tmp_path / "last.ckpt"):
        back = bgm.load(file)
        assert not back.training
        assert type(back) is type(net)
        for name, value in net.state_dict().items():
            assert torch.equal(back.state_dict()[name], value), name
    assert read_weights(path).about == {"note": "x"}
    if config is REFINE:
        assert bgm.load(path).backbone_scale == 0.125


def test_float16_files_load_as_float32(tmp_path):
    net = build(BASE)
    half = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    write_safetensors(tmp_path / "half.safetensors", half, BASE)
    assert {p.dtype for p in bgm.load(tmp_path / "half.safetensors").parameters()} == {
        torch.float32
    }


def test_published_checkpoints_tell_what_they_are(tmp_path):
    refined = from_bgmv2(
        published("mobilenetv2", kernel_size=1),
        mode="thresholding",
        threshold=0.3,
        backbone_scale=0.5,
    )
    assert refined.refiner.conv1.kernel_size == (1, 1)
    assert refined.refiner.select.threshold == 0.3
    assert refined.backbone_scale == 0.5
    torch.save(published("resnet50", "base"), tmp_path / "pytorch_resnet50.pth")
    base = bgm.load(tmp_path / "pytorch_resnet50.pth")
    assert type(base) is MattingBase
    assert base.backbone.channels[-1] == 2048
    assert not base.training


class Evil:
    def __reduce__(self):
        return (print, ("code in a checkpoint ran",))


def test_bad_files_are_refused_by_name(tmp_path, capsys):
    def refused(name, content):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BadInput, match=name.split(".")[0]) as error:
            bgm.load(path)
        return str(error.value)

    assert "does not exist" in refused("absent.ckpt", None)
    assert "no checkpoint" in refused("text.ckpt", b"hello, this is no checkpoint")
    assert "no checkpoint" in refused("empty.ckpt", b"")
    assert "no safetensors" in refused("text.safetensors", b"hello")
    assert "refused" in refused("evil.ckpt", pickle.dumps(Evil()))
    torch.save({"state_dict": Evil()}, tmp_path / "zip.ckpt")
    assert "refused" in refused("zip.ckpt", None)
    assert "ran" not in capsys.readouterr().out
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.ckpt")
    assert "weight" in refused("other.ckpt", None)
    state = published("mobilenetv2")
    torch.save({k: v for k, v in state.items() if "bn2" not in k}, tmp_path / "part.pth")
    assert "missing" in refused("part.pth", None)
    good = (tmp_path / "zip.ckpt").read_bytes()
    assert "zip2" in refused("zip2.ckpt", good[: len(good) // 2])


def test_a_config_in_a_file_may_only_build_networks():
    with pytest.raises(BadInput, match=r"os\.system"):
        build(
            {
                "_target_": "bgm.model.MattingBase",
                "backbone": {"_target_": "os.system", "command": "x"},
            }
        )


def test_packages_that_one_trusts_may_be_in_files(monkeypatch):
    network = {
        "_target_": "bgm.model.MattingBase",
        "backbone": {"_target_": "tests.networks.TinyEncoder"},
    }
    with pytest.raises(BadInput, match=r"tests\.networks\.TinyEncoder; .* BGM_TRUST=tests if you"):
        build(network)
    monkeypatch.setenv("BGM_TRUST", "mypackage,tests")
    assert build(network).backbone.channels[0] == 6


def test_a_training_takes_an_encoder_of_ones_own(tmp_path):
    words = ["experiment=base", "data=procedural", "name=x", f"data_root={tmp_path}"]
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [*words, "backbone._target_=tests.networks.TinyEncoder"])
    assert type(instantiate(cfg.stage).network.backbone).__name__ == "TinyEncoder"


def test_refine_starts_from_base():
    base, net = from_bgmv2(published("mobilenetv2", "base")), refine()
    before = {k: v.clone() for k, v in net.refiner.state_dict().items()}
    report = warm(net, base.state_dict(), BASE)
    assert torch.equal(net.base.decoder.conv4.weight, base.decoder.conv4.weight)
    assert all(torch.equal(v, before[k]) for k, v in net.refiner.state_dict().items())
    assert all(k.startswith("refiner.") for k in report.missing)
    assert "refiner.conv1" in str(report)


def test_base_starts_from_refined_and_reports_the_rest():
    net = MattingBase(mobilenetv2())
    report = warm(net, from_bgmv2(published("mobilenetv2")).state_dict(), REFINE)
    assert not report.missing
    assert all(k.startswith("refiner.") for k in report.left_over)


def test_another_backbone_is_refused_with_the_expected_keys():
    with pytest.raises(BadInput, match=r"expected .* keys .*base\.backbone\.features"):
        warm(refine(), MattingBase(resnet50()).state_dict(), BASE)


def refine():
    return MattingRefine(MattingBase(mobilenetv2()), PatchRefiner())


def warm(net, state, config):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "from.safetensors"
        write_safetensors(path, state, config)
        return initialise(net, path)


def test_torchvision_and_vainf_files_fill_encoder_and_aspp(tmp_path):
    models = torchvision.models
    for backbone, classifier in ((mobilenetv2, models.mobilenet_v2), (resnet50, models.resnet50)):
        theirs = by_formula({k: list(v.shape) for k, v in classifier().state_dict().items()})
        torch.save(theirs, tmp_path / "imagenet.pth")
        net = MattingBase(backbone())
        report = initialise(net, tmp_path / "imagenet.pth")
        first = next(m for m in net.backbone.modules() if isinstance(m, torch.nn.Conv2d)).weight
        original = next(v for v in theirs.values() if v.ndim == 4)
        deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        assert torch.allclose(first[:, :3] * deviation, original)
        assert torch.equal(first[:, 3:], -first[:, :3])
        assert len(report.matched) == len(net.backbone.state_dict())
        assert report.left_over
        assert not report.reshaped


def test_deeplabv3_files_bring_the_aspp(tmp_path):
    deeplab = torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None
    )
    torch.save(deeplab.state_dict(), tmp_path / "deeplab.pth")
    net = MattingBase(resnet50())
    report = initialise(net, tmp_path / "deeplab.pth")
    assert torch.equal(net.aspp.project[0].weight, deeplab.classifier[0].project[0].weight)
    assert all(k.startswith("decoder.") for k in report.missing)


def test_vainf_mobilenet_numbers_go_on(tmp_path):
    own = MattingBase(mobilenetv2())
    state = {}
    for key, value in own.backbone.state_dict().items():
        number = int(key.split(".")[1])
        part = "low_level_features" if number < 4 else "high_level_features"
        value = value[:, :3] if key == "features.0.0.weight" else value
        state[key.replace("features", f"backbone.{part}", 1)] = value
    state |= {f"classifier.classifier.0.{k}": v for k, v in own.aspp.state_dict().items()}
    torch.save({"model_state": state, "cur_itrs": 1}, tmp_path / "vainf.pth")
    net = MattingBase(mobilenetv2())
    report = initialise(net, tmp_path / "vainf.pth")
    assert not report.left_over
    assert torch.equal(
        net.backbone.features[17].conv[0][0].weight, own.backbone.features[17].conv[0][0].weight
    )
    assert torch.equal(net.aspp.project[0].weight, own.aspp.project[0].weight)
