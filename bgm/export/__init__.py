"""Networks into files of other runtimes, each proved equal to its network, and back again."""

from bgm.export.certify.certificate import Certificate, CertifyOptions
from bgm.export.metadata import provenance
from bgm.export.pipeline import check_export, export_and_certify
from bgm.export.runtime import Exported
from bgm.export.target import Target
from bgm.export.targets import all_targets, open_exported, target_of

__all__ = ["Certificate", "CertifyOptions", "Exported", "Target", "all_targets"]
__all__ += ["check_export", "export_and_certify", "open_exported", "provenance", "target_of"]
