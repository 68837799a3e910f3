"""The draft as tests read it: its sections, tables, formulas, figures and objects, found by syntax alone.

* A *table* is a run of lines that begin with `|`. Between `<!-- begin x -->` markers it is called x, elsewhere
  by the anchor of its section; several tables of one name are one.
* A *formula* is a statement of a block without a language that has ` = ` in it, or a code span outside of
  tables that shows an operator, a call or a number before a name.
* A *figure* is any other block without a language outside of markers.
* An *object* is a code span in braces, with or without a name before them.

Whatever the draft holds of these must be claimed by one test: the call in it that reads the thing is the
claim (`test_registry.py`).
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).parent.parent.parent / "spec/draft-parley-mutual-verification.md"
_SIGN = re.compile(r" = |<=|>=| [<>] |\|\|| [-+/|] |\^|\b\d+ [A-Za-z]|(?<![\w-])[A-Za-z][\w-]*\(")

_OBJECT = re.compile(r"(\w+)?\{.+\}")


class Formula(NamedTuple):
    """One formula: the statement, the words that stand behind it in a block, and how the draft has it."""

    section: str
    text: str
    condition: str = ""
    raw: str = ""

    @property
    def left(self) -> str:
        return self.text.partition(" = ")[0]

    @property
    def right(self) -> str:
        return self.text.partition(" = ")[2]


class Table(NamedTuple):
    """The head and the rows of one table, cells without the space around them, and how the draft has it."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]


class Draft(NamedTuple):
    """Everything that a test of the text reads."""

    sections: dict[str, str]
    tables: dict[str, tuple[Table, ...]]
    formulas: tuple[Formula, ...]
    figures: dict[str, tuple[str, ...]]
    objects: tuple[Formula, ...]


class _Source:
    """The text under test; the test of the tests puts a changed one in its place."""

    text = PATH.read_text()


def replace(text: str) -> None:
    """Put another text in the place of the draft."""
    _Source.text = text


def current() -> str:
    """The text under test."""
    return _Source.text


def slug(title: str) -> str:
    """The name of a section: its anchor, or its title in lower case with dashes."""
    anchor = re.search(r"\{#([\w-]+)\}", title)
    return anchor[1] if anchor else re.sub(r"\W+", "-", title.strip("# ").lower())


def statements(block: str) -> list[tuple[str, ...]]:
    """The statements of a block: each begins in the first column, and its condition behind two spaces."""
    found: list[list[str]] = []
    for line in block.splitlines():
        bare, _, condition = re.sub(r" +=(?= )", " =", line.strip()).partition("  ")
        if line[:1] != " ":
            found.append([bare, condition.strip(), line])
        else:
            found[-1][0] += " " + bare
            found[-1][2] += "\n" + line
    return [tuple(one) for one in found]


def _cells(lines: list[str]) -> Table:
    rows = [tuple(cell.strip() for cell in re.split(r"(?<!\|)\|(?!\|)", line)[1:-1]) for line in lines]
    return Table(rows[0], tuple(rows[2:]), tuple(lines))


class _Reader:
    """Goes over the draft line by line."""

    def __init__(self) -> None:
        self.section = self.marker = ""
        self.fence: str | None = None
        self.block: list[str] = []
        self.draft = Draft({}, {}, (), {}, ())
        self.formulas: list[Formula] = []
        self.objects: list[Formula] = []

    def line(self, line: str) -> None:
        if line.startswith("~~~"):
            self._fence(line[3:].strip())
        elif self.fence is not None or line[:1] == "|":
            self.block.append(line)
        else:
            self._end_table()
            self._prose(line)
        if self.section:
            self.draft.sections[self.section] += line + "\n"

    def _fence(self, language: str) -> None:
        self._end_table()
        if self.fence is None:
            self.fence = language
            return
        block, plain = "\n".join(self.block), not self.fence and not self.marker
        if plain and " = " in block:
            self.formulas += [Formula(self.section, *one) for one in statements(block)]
        elif plain:
            self.draft.figures.setdefault(self.section, ())
            self.draft.figures[self.section] += (block,)
        self.fence, self.block = None, []

    def _end_table(self) -> None:
        if self.fence is None and self.block:
            name = self.marker or self.section
            self.draft.tables[name] = (*self.draft.tables.get(name, ()), _cells(self.block))
            self.block = []

    def _prose(self, line: str) -> None:
        if line.startswith("#"):
            self.section = slug(line)
            assert self.section not in self.draft.sections, f"two sections are called {self.section}"
            self.draft.sections[self.section] = ""
        elif mark := re.match(r"<!-- (begin|end) ([\w-]+) -->", line):
            self.marker = mark[2] if mark[1] == "begin" else ""
        elif not self.marker:
            for span in re.findall(r"`([^`]+)`", line):
                whole = _OBJECT.fullmatch(span)
                kept, one = (
                    self.objects if whole else self.formulas,
                    Formula(self.section, span, raw=f"`{span}`"),
                )
                if (whole or _SIGN.search(span)) and one not in kept:
                    kept.append(one)


@lru_cache(maxsize=8)
def read(text: str) -> Draft:
    """Everything in a text."""
    reader = _Reader()
    for line in text.partition("--- middle\n")[2].splitlines():
        reader.line(line)
    return reader.draft._replace(formulas=tuple(reader.formulas), objects=tuple(reader.objects))


def section(name: str) -> str:
    """The text of a section, without its subsections."""
    return read(current()).sections[name]


def _one(kept: tuple[Formula, ...], where: str, start: str) -> Formula:
    here = [one for one in kept if one.section == where]
    found = [one for one in here if one.text == start] or [one for one in here if one.text.startswith(start)]
    assert len(found) == 1, f"expected one in {where} that begins {start!r}, found {found}"
    return found[0]


def also(where: str, start: str) -> Formula:
    """The one formula of a section that is or begins so, for a test that needs it beside its own."""
    return _one(read(current()).formulas, where, start)


def also_object(where: str, start: str) -> Formula:
    """The one object of a section that is or begins so, likewise."""
    return _one(read(current()).objects, where, start)


def tables_of(name: str) -> tuple[Table, ...]:
    """Every table of one name, likewise."""
    return read(current()).tables[name]


def also_table(name: str) -> Table:
    """The one table of a name, likewise."""
    (found,) = tables_of(name)
    return found


def formula(where: str, start: str) -> Formula:
    """The same formula, claimed by the test in which this call stands."""
    return also(where, start)


def obj(where: str, start: str) -> str:
    """An object, claimed likewise."""
    return also_object(where, start).text


def tables(name: str) -> tuple[Table, ...]:
    """Every table of one name, claimed likewise."""
    return tables_of(name)


def table(name: str) -> Table:
    """The one table of a name, claimed likewise."""
    return also_table(name)


def figure(where: str) -> str:
    """The one figure of a section, claimed likewise."""
    (found,) = read(current()).figures[where]
    return found
