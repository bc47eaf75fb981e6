"""python -m bgm: the console command."""

from bgm.cli import main

main()
