"""People rendered for this package: RGBA pictures that need no download."""

from pathlib import Path

FOLDER = Path(__file__).parent  # a folder of RGBA subjects
