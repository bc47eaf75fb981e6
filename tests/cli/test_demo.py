"""bgm demo: what it may remove of what lies where it trains."""

import pytest

from bgm.cli import demo
from bgm.errors import BadInput


def trained(folder, experiment):
    """A folder as train.py leaves it, and a note of somebody in it."""
    files = [".hydra/config.yaml", "best.ckpt", "last-previous.ckpt", "card.json", "train.log"]
    files += ["tensorboard/events.out.tfevents.1.vm.2.0", "tensorboard/hparams.yaml", "mine/a.ckpt"]
    for name in (*files, ".hydra/overrides.yaml", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"- experiment={experiment}\n")


def test_the_demo_removes_only_its_own_earlier_training(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "run", lambda *_, **__: None)
    out = tmp_path / "runs/demo"
    trained(out / "base", "demo")
    demo.train(out, "base", [])
    left = [x for x in (out / "base").rglob("*") if x.is_file()]
    assert sorted(x.name for x in left) == ["a.ckpt", "notes.txt"]
    trained(out / "base", "demo")
    trained(out / "refine", "base")  # a training of the user's own
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="refine holds no training of bgm demo: move it"):
        demo.main([])
    assert (out / "refine/best.ckpt").exists()
