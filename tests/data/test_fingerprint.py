"""A fingerprint changes with whatever the data is made from, and with nothing else."""

import subprocess
import sys
from functools import partial

import numpy as np
import torch

from bgm.data.fingerprint import fingerprint


class Recipe:
    def __init__(self, **values):
        self.__dict__.update(values)


class Described(Recipe):
    def describe(self):
        return {"seen": self.seen}


def test_every_leaf_counts(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12")
    values = [1, 2, 1.0, "1", True, None, [1], [1, 2], {"a": 1}, {"b": 1}, {"a": 2}, {1}]
    values += [torch.zeros(2), torch.zeros(3), torch.ones(2), torch.zeros(2, dtype=torch.int32)]
    values += [np.zeros((2, 1)), tmp_path / "a.png", tmp_path / "b.png"]
    values += [torch.nn.Dropout(0.1), torch.nn.Dropout(0.2), partial(min, 1), partial(min, 2), max]
    values += [torch.float32, torch.float16]
    names = [fingerprint(Recipe(inner=[value])) for value in values]
    assert len(set(names)) == len(names)
    assert names == [fingerprint(Recipe(inner=[value])) for value in values]
    (tmp_path / "a.png").write_bytes(b"123")
    assert fingerprint(Recipe(inner=[tmp_path / "a.png"])) not in names


def test_an_object_may_speak_for_itself():
    assert fingerprint(Described(seen=1, x=1)) == fingerprint(Described(seen=1, x=2))
    assert fingerprint(Described(seen=1)) != fingerprint(Described(seen=2))


def test_order_of_keys_addresses_and_loops_do_not_count():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(Recipe(x=object())) == fingerprint(Recipe(x=object()))
    loop = Recipe()
    loop.me = loop
    assert len(fingerprint(loop)) == 12


def test_equal_in_another_process():
    code = (
        "import torch; from bgm.data.fingerprint import fingerprint;"
        "print(fingerprint(torch.nn.Dropout(0.25), {'a', 'b', 'c'}, torch.arange(3)))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = fingerprint(torch.nn.Dropout(0.25), {"a", "b", "c"}, torch.arange(3))
    assert other.stdout.strip() == here


def test_an_edit_of_the_code_changes_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for body in ("pass", "x = 1"):
        (tmp_path / "recipe_of_test.py").write_text(f"class R:\n    {body}\n")
        sys.modules.pop("recipe_of_test", None)
        found.append(fingerprint(__import__("recipe_of_test").R()))
    sys.modules.pop("recipe_of_test", None)
    assert found[0] != found[1]
