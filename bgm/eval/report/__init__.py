"""One HTML file of scores: tables, plots and pictures, readable without a network."""

from bgm.eval.report.page import check_libraries, page, write_report
from bgm.eval.report.runs import Run, read_run
