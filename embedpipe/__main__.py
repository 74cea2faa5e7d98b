"""``python -m embedpipe``."""

from embedpipe.cli.main import main

main()
