"""bgm doctor and bgm pack as they are typed, and the doctor's line before a training."""

import sys

import pytest
from pytorch_lightning import Trainer

import bgm.cli
from bgm.augment import Augment
from bgm.data import Backgrounds, Composites, MattingData, Subjects, open_subjects
from bgm.people import FOLDER
from tests.data.folders import make


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make(tmp_path_factory.mktemp("my data (1), a=b"))


def run(monkeypatch, *args):
    """Run the console command; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["bgm", *map(str, args)])
    try:
        bgm.cli.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_doctor_finds_packed_data_well_and_a_cut_file_not(root, tmp_path, monkeypatch, capsys):
    data = ["data=folder", f"data_root={root}"]
    assert run(monkeypatch, "doctor", *data, "workers=0") == 0
    assert "all is well" in capsys.readouterr().out
    assert run(monkeypatch, "pack", *data, f"out={tmp_path / 'packed'}", "shard_mb=1") == 0
    said = capsys.readouterr().out
    assert "6 subjects in" in said
    assert "100 backgrounds in" in said
    assert len(open_subjects(tmp_path / "packed" / "train")) == 6
    again = [f"data_root={tmp_path / 'packed'}", "workers=0"]
    assert run(monkeypatch, "doctor", "data=folder", *again) == 0
    tar = tmp_path / "packed" / "train" / "000000.tar"
    content = bytearray(tar.read_bytes())
    start = content.index(b"\xff\xd8\xff") + 300  # inside the first JPEG
    content[start : start + 200] = bytes(200)
    end = content.index(b"\x89PNG") + 150
    content[end : end + 100] = bytes(100)
    tar.write_bytes(content)
    assert run(monkeypatch, "doctor", "data=folder", *again) == 1
    said = capsys.readouterr().out
    assert "000000.tar/0." in said
    assert "errors: 1" in said


def test_doctor_looks_at_sources_within_sources(monkeypatch, capsys, tmp_path):
    limit = [f"data_root={tmp_path}", "workers=0", "limit=2"]
    assert run(monkeypatch, "doctor", "data=demo", *limit) == 0
    said = capsys.readouterr().out
    people = len(list(FOLDER.glob("*.webp")))
    kept_back = -(-people // 6)
    assert str(people - kept_back) in said  # the ones to train on
    assert str(kept_back) in said
    assert run(monkeypatch, "doctor", "data=mixed", "people=embedded", *limit) == 0
    assert str(people) in capsys.readouterr().out
    assert run(monkeypatch, "doctor", "data=finetune", *limit) == 1
    assert "does not exist" in capsys.readouterr().out


def test_pack_reduces(root, tmp_path, monkeypatch, capsys):
    out = tmp_path / "small"
    pack = ["pack", "data=folder", f"data_root={root}", f"out={out}", "size=32", "workers=0"]
    assert run(monkeypatch, *pack) == 0
    assert "6 subjects in" in capsys.readouterr().out
    assert Subjects(out / "train")[0][0].shape == (1, 32, 40)
    assert Backgrounds(out / "backgrounds" / "train")[0].shape == (3, 32, 32)
    assert run(monkeypatch, "doctor", "data=folder", f"data_root={out}", "workers=0") == 0


def test_a_pack_that_failed_goes_on(tmp_path, monkeypatch, capsys):
    root, out = make(tmp_path / "data", backgrounds=5), tmp_path / "packed"
    pack = ["pack", "data=folder", f"data_root={root}", f"out={out}", "workers=0"]
    bad = next((root / "backgrounds" / "valid").iterdir())
    whole = bad.read_bytes()
    bad.write_bytes(b"no picture")
    assert run(monkeypatch, *pack, "size=32") == 1
    assert bad.name in capsys.readouterr().err
    assert not out.exists()  # all were opened before the first was packed
    bad.write_bytes(whole[: len(whole) // 2])  # its header is well
    assert run(monkeypatch, *pack, "size=32") == 1
    parts = {path.parent.relative_to(out).as_posix() for path in out.rglob("*.tar")}
    assert "train" in parts
    assert "backgrounds/valid" not in parts
    stamp = (out / "train" / "000000.tar").stat().st_mtime_ns
    bad.write_bytes(whole)
    capsys.readouterr()
    assert run(monkeypatch, *pack, "size=16") == 1
    assert "train exists already, made from something else" in capsys.readouterr().err
    assert run(monkeypatch, *pack, "size=32") == 0
    assert "train: 6 subjects are packed already" in capsys.readouterr().out
    assert (out / "train" / "000000.tar").stat().st_mtime_ns == stamp
    assert run(monkeypatch, "doctor", "data=folder", f"data_root={out}", "workers=0") == 0


def test_what_cannot_be_done_is_one_sentence(root, tmp_path, monkeypatch, capsys):
    data = ["data=folder", f"data_root={root}"]
    for args, words in (
        (["doctor", "data=procedural"], "nothing to look at"),
        (["doctor", *data, "limit=-3"], "bgm doctor has limit -3, expected limit >= 1"),
        (["doctor", *data, "limit=0"], "bgm doctor has limit 0, expected limit >= 1"),
        (["doctor", *data, "workers=-1"], "bgm doctor has workers -1, expected workers >= 0"),
        (["pack", *data], "out=... is missing"),
        (["pack", *data, f"out={root}"], "exists already"),
        (["pack", *data, f"out={tmp_path}", "size=15"], "size=15: expected 16 px or more"),
        (["pack", *data, f"out={tmp_path}", "size=large"], "size=large: expected 16 px"),
        (["pack", *data, "data.train.subjects.root=/", f"out={tmp_path}"], "below data_root"),
    ):
        assert run(monkeypatch, *args) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert words in said
    assert list(tmp_path.iterdir()) == []
    assert run(monkeypatch, "doctor", "data=folder", f"data_root={tmp_path}", "workers=0") == 1
    assert "errors: 4" in capsys.readouterr().out


def test_a_training_starts_with_one_line(root, tmp_path, capsys):
    train = Composites(Subjects(root / "train"), Backgrounds(root / "backgrounds" / "train"), 16)
    data = MattingData(train, augment=Augment(16), batch_size=2, workers=0, cache=tmp_path)
    data.prepare_data()  # not a training
    assert capsys.readouterr().out == ""
    data.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    capsys.readouterr()
    data.prepare_data()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "6 train subjects, 100 train backgrounds" in said[0]
    data.checkup_seconds = 0
    data.prepare_data()
    assert capsys.readouterr().out == ""
