"""Single-site weakenings of the reference implementation's checks, as changed syntax trees.

Four operators, each one careless edit: a guard or a raise left out, one operand of a condition dropped,
the edge of a comparison moved by one, a refusal with another reason. A weakening keeps every line number,
so that the function it changes can be found in the running program by name and line.
"""

import ast
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CORE = "attestation/parley_attestation"
MODULES = (
    *(f"{CORE}/session/{name}.py" for name in ("agreement", "audit", "backing", "bodies")),
    *(f"{CORE}/session/{name}.py" for name in ("exercise", "facts", "machine", "messages", "results")),
    *(f"{CORE}/session/{name}.py" for name in ("schedule", "sealed", "turns")),
    *(f"{CORE}/{name}.py" for name in ("commitment", "ed25519", "envelope", "judge", "merkle")),
    *(f"{CORE}/{name}.py" for name in ("statement", "witnessing")),
    "prover/parley_prover/budget.py",
    "prover/parley_prover/service.py",
)
GUARDS = ("check", "verify", "require", "refuse", "expect", "open_", "judge", "validate")
EDGES = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


@dataclass(frozen=True, slots=True)
class Site:
    """One weakening.

    Attributes:
        module: Path from the top of the repository.
        scope: Qualified name of the function that it changes.
        operator: "guard", "operand", "edge" or "reason".
        line: Where it stands today.
        reached: A line without which it changes nothing: that of the refusal that would not come, else `line`.
        what: The edit, for a person.
        id: Stable under edits elsewhere: it follows from the scope, the operator and the text of the check.
        path: Steps from the module's tree to the node, and which of its parts is changed.
    """

    module: str
    scope: str
    operator: str
    line: int
    reached: int
    what: str
    id: str
    path: tuple[tuple[str, int | None], ...]
    part: int


def sites(module: str, source: str) -> list[Site]:
    """Every weakening of one module, in the order of the text."""
    found: list[Site] = []
    seen: dict[str, int] = {}
    tree = ast.parse(source)
    guarded, refusals = _last_of_ifs(tree), _refusals(tree)
    for path, scope, node in _walk(tree):
        for operator, part, what in _edits(node, alone=node not in guarded):
            text = f"{scope}\0{operator}\0{part}\0{ast.unparse(node)}"
            short = hashlib.sha256(text.encode()).hexdigest()[:8]
            seen[short] = seen.get(short, 0) + 1
            name = f"{Path(module).stem}.{scope}:{operator}:{short}"
            if seen[short] > 1:
                name += f".{seen[short]}"
            reached = refusals.get(node, node.lineno)
            found.append(Site(module, scope, operator, node.lineno, reached, what, name, path, part))
    return found


def all_sites() -> list[Site]:
    """Every weakening of every module."""
    return [site for module in MODULES for site in sites(module, (ROOT / module).read_text())]


def weakened(site: Site, source: str) -> ast.Module:
    """The tree of the module with the one edit."""
    tree = ast.parse(source)
    owner, last = tree, None
    node = tree
    for name, index in site.path:
        owner, last = node, (name, index)
        node = getattr(node, name) if index is None else getattr(node, name)[index]
    assert last is not None
    changed = _changed(node, site.operator, site.part)
    for one in ast.walk(changed):
        if "lineno" in one._attributes and not hasattr(one, "lineno"):
            ast.copy_location(one, node)
    name, index = last
    if index is None:
        setattr(owner, name, changed)
    else:
        getattr(owner, name)[index] = changed
    return ast.fix_missing_locations(tree)


def _walk(tree: ast.Module) -> Iterator[tuple[tuple, str, ast.AST]]:
    """Every node inside a function, with the way to it and the function's qualified name."""

    def visit(node, path, names, within):
        scope = ".".join(names)
        if within and path:
            yield path, scope, node
        for name, value in ast.iter_fields(node):
            children = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, child in children:
                if not isinstance(child, ast.AST) or name in {"decorator_list", "annotation", "returns"}:
                    continue
                inner, below = names, within
                if isinstance(child, ast.FunctionDef):
                    inner, below = (*names, *(("<locals>",) if within else ()), child.name), True
                elif isinstance(child, ast.ClassDef):
                    inner = (*names, child.name)
                yield from visit(child, (*path, (name, index)), inner, below)

    yield from visit(tree, (), (), within=False)


def _edits(node: ast.AST, *, alone: bool) -> Iterator[tuple[str, int, str]]:
    if (isinstance(node, ast.If) and not node.orelse and _refuses(node.body)) or (
        isinstance(node, ast.If) and node.orelse and _refuses(node.body)
    ):
        yield "guard", 0, f"if {ast.unparse(node.test)}: {ast.unparse(node.body[-1])}"
    elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _guards(node.value.func)) or (
        isinstance(node, ast.Raise) and alone
    ):
        yield "guard", 2, ast.unparse(node)
    if isinstance(node, ast.BoolOp):
        word = " and " if isinstance(node.op, ast.And) else " or "
        for part, value in enumerate(node.values):
            yield "operand", part, f"{ast.unparse(value)}, out of {word.join(map(ast.unparse, node.values))}"
    if isinstance(node, ast.Compare):
        for part, op in enumerate(node.ops):
            if type(op) in EDGES:
                yield "edge", part, ast.unparse(node)
    if isinstance(node, ast.Call) and _names_reason(node):
        yield "reason", 0, ast.unparse(node.args[0])


def _last_of_ifs(tree: ast.Module) -> set[ast.stmt]:
    """Statements that end the body of an `if`: left out together with their condition."""
    return {node.body[-1] for node in ast.walk(tree) if isinstance(node, ast.If)}


def _refusals(tree: ast.Module) -> dict[ast.AST, int]:
    """For a guard, and for an `or` that is its whole condition: the first line of its refusal."""
    found: dict[ast.AST, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _refuses(node.body):
            found[node] = node.body[0].lineno
            if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
                found[node.test] = node.body[0].lineno
    return found


def _refuses(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Raise)


def _guards(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name.lstrip("_").startswith(GUARDS)


def _names_reason(call: ast.Call) -> bool:
    name = getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    return (
        name in {"PeerError", "LocalError"}
        and isinstance(first, ast.Attribute)
        and getattr(first.value, "id", "") == "Reason"
    )


def _changed(node: ast.AST, operator: str, part: int) -> ast.AST:
    """The edit. What is left out stays in the tree as dead code, so that closures keep their variables."""
    node = copy.deepcopy(node)
    if operator == "guard" and part == 0:
        node.test = ast.IfExp(ast.Constant(value=True), ast.Constant(value=False), node.test)
    elif operator == "guard":
        return ast.copy_location(ast.If(ast.Constant(value=False), [node], []), node)
    elif operator == "operand":
        kept = [value for index, value in enumerate(node.values) if index != part]
        rest = kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
        return ast.copy_location(ast.IfExp(ast.Constant(value=True), rest, node.values[part]), node)
    elif operator == "edge":
        node.ops[part] = EDGES[type(node.ops[part])]()
    else:
        node.args[0].attr = "CLOCK" if node.args[0].attr != "CLOCK" else "INTERNAL"
    return node
