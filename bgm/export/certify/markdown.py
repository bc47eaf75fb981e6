"""A certificate as people read it: short Markdown."""

from collections.abc import Iterable
from typing import Any

Facts = dict[str, Any]


def as_markdown(facts: Facts) -> str:
    """The certificate's facts as Markdown; a section without facts is left out."""
    sections = [head(facts), errors(facts), matting(facts), speed(facts), origin(facts)]
    return "\n\n".join(section for section in sections if section)


def head(facts: Facts) -> str:
    about = facts["metadata"]
    methods = [about[k] for k in ("crop", "replace", "select") if k in about]
    files = ", ".join(f"{f['name']} ({f['bytes'] / 1e6:.1f} MB)" for f in facts["files"])
    return "\n".join(
        [
            f"# {facts['files'][0]['name']}: certified",
            "",
            f"- file: {files}",
            f"- target {about.get('target')}, run in {facts['runtime']}",
            f"- precision {about.get('precision')}, shape {about.get('shape')}, opset "
            f"{about.get('opset', 'none')}",
            f"- {about.get('kind')} network" + (f", {', '.join(methods)}" if methods else ""),
        ]
    )


def errors(facts: Facts) -> str:
    """Errors by kind of picture and by output, and what the comparisons covered."""
    comparisons, limits = facts["comparisons"], facts["limits"]
    names = list(comparisons[0]["largest"])
    batches = ", ".join(str(b) for b in sorted({x["batch"] for x in comparisons}))
    sizes = ", ".join(
        f"{w}x{h}" for w, h in sorted({(x["width"], x["height"]) for x in comparisons})
    )
    rows = []
    for kind in dict.fromkeys(x["pictures"] for x in comparisons):
        largest = [x["largest"] for x in comparisons if x["pictures"] == kind]
        rows.append([kind, *(f"{max(x[n] for x in largest):.1e}" for n in names)])
        eager = [x["eager"] for x in comparisons if x["pictures"] == kind]
        rows.append([f"PyTorch, {kind}", *(f"{max(x[n] for x in eager):.1e}" for n in names)])
    rows.append(["mean, worst batch", *(f"{facts['worst'][n]['mean']:.1e}" for n in names)])
    covered = [f"- {what}: {count:,}" for what, count in facts["coverage"].items()]
    ties = sum(x["ties"] for x in comparisons)
    return "\n".join(
        [
            "## Against PyTorch",
            f"{len(comparisons)} comparisons ({facts['grid']} grid): batches {batches}; sizes "
            f"{sizes}.",
            "Errors are from the network in float64; PyTorch's are those of the network in eager "
            f"float32. Allowed are {limits['rounding']:g} times PyTorch's, and on top of that a "
            f"largest error of {limits['largest']:.0e} and a mean error of {limits['mean']:.0e} on "
            f"plain pictures, {limits['steered']:.0e} on those that steer the error.",
            "",
            *table(["largest error", *names], rows),
            "",
            *covered,
            *([f"- patches that tied: {ties:,}"] if ties else []),
        ]
    )


def matting(facts: Facts) -> str:
    scores = facts["matting"]
    if not scores:
        return ""
    rows = [
        [name, f"{of_net:.4f}", f"{scores['file'][name]:.4f}", f"{scores['difference'][name]:+.1e}"]
        for name, of_net in scores["network"].items()
    ]
    heading = f"## Mattes of {scores['set']}"
    return "\n".join([heading, *table(["", "network", "file", "difference"], rows)])


def speed(facts: Facts) -> str:
    """Seconds, and operators."""
    time = facts["time"]
    batch, height, width = time["shape"]
    lines = [
        "## Speed",
        f"{time['file_seconds']:.3f} s a picture of {width}x{height} (batch {batch}), PyTorch "
        f"{time['network_seconds']:.3f} s in the same run, ratio {time['ratio']:.2f}; "
        f"{time['threads']} threads, best of {time['rounds']} after one to warm up.",
    ]
    if facts["operators"]:
        counts = sorted(facts["operators"].items(), key=lambda x: -x[1])
        lines += ["", "## Operators", ", ".join(f"{n} {c}" for n, c in counts) + "."]
        if unsupported := facts["unsupported_operators"]:
            lines.append(f"Not supported by readers, none of them here: {', '.join(unsupported)}.")
    return "\n".join(lines)


def origin(facts: Facts) -> str:
    about, environment = facts["metadata"], facts["environment"]
    packages = ", ".join(f"{name} {number}" for name, number in environment["packages"].items())
    return "\n".join(
        [
            "## Origin",
            f"- checkpoint {about.get('checkpoint', '')} sha256 "
            f"{about.get('checkpoint_sha256', '?')}",
            *(f"- {f['name']} sha256 {f['sha256']}" for f in facts["files"]),
            f"- {environment['date']}; {packages}",
        ]
    )


def table(heading: Iterable[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table."""
    heading = list(heading)
    rule = ["---"] * len(heading)
    return [f"| {' | '.join(cells)} |" for cells in (heading, rule, *rows)]
