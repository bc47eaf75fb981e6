"""Write a file, prove it equal to its network, and only then give it its name."""

from pathlib import Path

from torch import nn

from bgm.export.certify.certificate import Certificate, CertifyOptions, certify
from bgm.export.runtime import require_package
from bgm.export.target import Target
from bgm.files import atomic_files


def check_export(target: Target, net: nn.Module, out: Path, options: CertifyOptions) -> None:
    """Raise BadInput for all that can be told before minutes of work."""
    target.check_request(net, out)  # first: what no package and no option of options would mend
    options.check(target.precision)
    for package in target.packages:
        require_package(package)


def export_and_certify(
    target: Target,
    net: nn.Module,
    out: str | Path,
    provenance: dict[str, str] | None = None,
    options: CertifyOptions | None = None,
) -> Certificate:
    """Write net (unchanged) to out as target does, with its certificate; all of it or nothing.

    provenance: more for the file to say, see `bgm.export.metadata.provenance`. options: what the
    file has to pass, the default grid if None. Raises BadInput when out cannot be written or the
    file does not compute what net computes; an older out and its certificate are then untouched.
    """
    out, options = Path(out), options or CertifyOptions()
    check_export(target, net, out, options)
    truth = target.truth(net)
    prepared = target.prepare(truth)
    metadata = target.describe(prepared) | (provenance or {})
    with atomic_files(out) as folder:
        model = folder / out.name
        target.write(prepared, model, metadata)
        certificate = certify(target, truth, model, metadata, options)
        certificate.write(model)
    return certificate
