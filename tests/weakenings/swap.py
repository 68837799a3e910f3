"""Puts a weakening into the running program: the functions that it changes get their new code."""

import ast
import gc
import types

from weakenings.sites import ROOT, Site, weakened


def swap(site: Site) -> int:
    """Weaken the program and return how many live functions changed.

    The module is compiled twice, as it stands and weakened; every live function whose code differs between
    the two gets the weakened one. Functions are found by their file, qualified name and first line.
    """
    path = ROOT / site.module
    source = path.read_text()
    before = _functions(compile(source, str(path), "exec"))
    after = _functions(compile(weakened(site, source), str(path), "exec"))
    changed = {key: after[key] for key, code in before.items() if after[key] != code}
    swapped = 0
    for one in gc.get_objects():
        if isinstance(one, types.FunctionType) and one.__code__.co_filename == str(path):
            new = changed.get(_key(one.__code__))
            if new is not None:
                one.__code__ = new
                swapped += 1
    return swapped


def _functions(code: types.CodeType) -> dict[tuple[str, int], types.CodeType]:
    found = {}
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found[_key(const)] = const
            found |= _functions(const)
    return found


def _key(code: types.CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def shown(site: Site) -> str:
    """The weakened function as text, for a person who looks into a survivor."""
    tree = weakened(site, (ROOT / site.module).read_text())
    name = site.scope.split(".")[-1]
    return next(ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name)
