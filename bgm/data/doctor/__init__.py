"""The data doctor: what is wrong with folders of pictures, before a training finds out."""

from bgm.data.doctor.checkup import checkup
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.inventory import Finding, Part, take_stock
from bgm.data.doctor.item_report import Look, Looks

__all__ = ["Finding", "Look", "Looks", "Part", "checkup", "diagnose", "take_stock"]
