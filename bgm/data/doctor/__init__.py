"""The data doctor: what is wrong with folders of pictures, before a training finds out."""

from bgm.data.doctor.checkup import checkup
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.look import Look, Looks
from bgm.data.doctor.stock import Finding, Part, take_stock

__all__ = ["Finding", "Look", "Looks", "Part", "checkup", "diagnose", "take_stock"]
