"""`make bench`: runs every benchmark, or those named on the command line."""

import importlib
import pkgutil
import sys

import benchmarks

names = sys.argv[1:] or [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name[0] != "_"]
for name in names:
    print(f"\n== {name}", flush=True)
    sys.argv = [name]
    importlib.import_module(f"benchmarks.{name}").main()
