"""What a run card says about the code and the machine."""

import json
import subprocess

from bgm.run_info import commit, hardware, versions


def git(root, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


def test_the_commit_of_a_checkout_and_whether_it_is_dirty(tmp_path):
    assert commit(tmp_path) == {}
    git(tmp_path, "init")
    assert commit(tmp_path) == {}  # nothing committed yet
    (tmp_path / "a.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    found = commit(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "untracked").write_text("")
    assert commit(tmp_path)["dirty"] is False
    (tmp_path / "a.py").write_text("2\n")
    assert commit(tmp_path)["dirty"] is True


def test_versions_and_hardware_are_plain():
    found = {**versions(), **hardware()}
    assert json.loads(json.dumps(found)) == found
    assert {"bgm", "python", "torch", "opencv-python-headless"} <= versions().keys()
    assert versions(["no-such-package"]).keys() == {"bgm", "python"}
