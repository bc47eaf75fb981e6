"""The data doctor: what is wrong with folders of pictures, before a training finds out."""

from bgm.data.doctor.checkup import checkup
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.inventory import Finding, Part, part_of, take_inventory
from bgm.data.doctor.item_report import ItemReport, ItemReports

__all__ = [
    "Finding",
    "ItemReport",
    "ItemReports",
    "Part",
    "checkup",
    "diagnose",
    "part_of",
    "take_inventory",
]
