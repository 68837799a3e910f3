"""Room: the command line. `python -m parley_cli` is `parley`."""

from parley_cli.main import main

main()
