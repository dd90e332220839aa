"""`python -m modelslab_pony.cli` is `pony`."""

from modelslab_pony.cli import main

main()
