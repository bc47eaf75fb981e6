"""One HTML file of scores: tables, plots and pictures, readable without a network."""

from bgm.report.page import check_libraries, page
from bgm.report.runs import Run, read_run

__all__ = ["Run", "check_libraries", "page", "read_run"]
