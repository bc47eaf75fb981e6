"""A certificate as people read it: short Markdown."""

import json
from typing import Any

Facts = dict[str, Any]


def readable(facts: Facts) -> str:
    """The certificate's facts as Markdown; a section without facts is left out."""
    sections = [head(facts), errors(facts), matting(facts), operators(facts), origin(facts)]
    return "\n\n".join(section for section in sections if section)


def head(facts: Facts) -> str:
    about = facts["about"]
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
    """Errors by content and output, and what the trials covered."""
    trials, limits = facts["trials"], facts["limits"]
    names = list(trials[0]["largest"])
    lines = [
        "## Against PyTorch",
        f"{len(trials)} trials ({facts['grid']} grid): batches "
        f"{listed({t['batch'] for t in trials})}; sizes "
        f"{listed({(t['width'], t['height']) for t in trials}, lambda s: f'{s[0]}x{s[1]}')}.",
        f"Largest error allowed {limits['largest']:.0e}, mean error {limits['mean']:.0e} on plain "
        f"pictures, {limits['steered']:.0e} on those that steer the error.",
        "",
        "| largest error | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
    ]
    for content in dict.fromkeys(t["content"] for t in trials):
        rows = [t["largest"] for t in trials if t["content"] == content]
        lines.append(row(content, [f"{max(r[n] for r in rows):.1e}" for n in names]))
    lines.append(row("mean, worst trial", [f"{facts['worst'][n]['mean']:.1e}" for n in names]))
    ties = sum(t["ties"] for t in trials)
    covered = [f"- {what}: {count:,}" for what, count in facts["coverage"].items()]
    return "\n".join([*lines, "", *covered, *([f"- patches that tied: {ties:,}"] if ties else [])])


def matting(facts: Facts) -> str:
    found = facts["matting"]
    if not found:
        return ""
    lines = [f"## Mattes of {found['set']}", "| | network | file | difference |", "| --- |" * 4]
    lines[-1] = "| --- | --- | --- | --- |"
    for name, value in found["network"].items():
        cells = [f"{value:.4f}", f"{found['file'][name]:.4f}", f"{found['difference'][name]:+.1e}"]
        lines.append(row(name, cells))
    return "\n".join(lines)


def operators(facts: Facts) -> str:
    time, refused = facts["time"], set(facts["operators_refused_by_target"])
    batch, height, width = time["shape"]
    lines = [
        "## Speed",
        f"{time['file_seconds']:.3f} s a picture of {width}x{height} (batch {batch}), PyTorch "
        f"{time['network_seconds']:.3f} s in the same run, ratio {time['ratio']:.2f}; "
        f"{time['threads']} threads, best of {time['rounds']} after one to warm up.",
    ]
    if facts["operators"]:
        counts = sorted(facts["operators"].items(), key=lambda x: -x[1])
        marked = [f"{n} {c}" + (" (REFUSED)" if n in refused else "") for n, c in counts]
        lines += ["", "## Operators", ", ".join(marked) + "."]
        known = f"Known to be refused, none of them here: {', '.join(sorted(refused))}."
        lines += [known] if refused else []
    for provider, counts in facts["nodes_by_provider"].items():
        lines.append(f"{sum(counts.values())} nodes on {provider} after onnxruntime's fusions.")
    return "\n".join(lines)


def origin(facts: Facts) -> str:
    about, made = facts["about"], facts["made"]
    packages = ", ".join(f"{name} {number}" for name, number in made["packages"].items())
    lines = [
        "## Origin",
        f"- checkpoint {about.get('checkpoint', '')} sha256 {about.get('checkpoint_sha256', '?')}",
        *(f"- {f['name']} sha256 {f['sha256']}" for f in facts["files"]),
        f"- {made['date']}; {packages}",
    ]
    return "\n".join(lines)


def row(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def listed(values: set, form=json.dumps) -> str:
    return ", ".join(form(v) for v in sorted(values))
