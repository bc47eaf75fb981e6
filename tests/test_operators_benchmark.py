"""benchmarks/operators.py: its rows, and that it ends where a way gives other windows."""

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from benchmarks import operators


def test_rows_and_that_other_windows_are_refused(capsys, monkeypatch):
    operators.main(["--quick", "--rounds", "1"])
    head, _, *lines = [line[2:-2].split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert head == operators.COLUMNS
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    assert [(r["what"], r["way"]) for r in rows] == [
        (what, way) for what, ways in operators.WAYS.items() for way in ways
    ]
    assert all(float(r[f"{x}_ms"]) > 0 for r in rows for x in operators.RUNTIMES)
    equal = [r for r in rows if r["way"] in operators.MAPS]
    assert len(equal) == 8
    assert all(max(float(r["inside"]), float(r["border"])) <= 1e-5 for r in equal)
    assert all(float(r["inside"]) <= 1e-4 for r in rows)

    def shifted(graph, enlarge):
        return operators.roi_align(graph, operators.padded(graph, enlarge)[0], 2, 0.5, 8.5)

    monkeypatch.setitem(operators.MAPS, "RoiAlign", operators.Way(shifted))
    with pytest.raises(ValueError, match=r"^RoiAlign in onnxruntime differs by .* inside"):
        operators.main(["--quick", "--rounds", "1"])
