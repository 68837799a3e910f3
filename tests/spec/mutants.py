"""Changes of one formula, object, table or figure, each of which its test must notice."""

import re
from collections.abc import Iterator

import reading
from reading import Formula, current

_STRING = re.compile(r'"[^"]*"')
_SWAPS = (
    (r" \+ ", " - "), (r" - ", " + "), (r"<=", "<"), (r">=", ">"), (r" < ", " <= "), (r" > ", " >= "),
    (r" / ", " - "), (r"\bfloor\b", "ceil"), (r"\bceil\b", "floor"), (r"\bmin\b", "max"), (r"\bmax\b", "min"),
    (r"(?<=[\w)])-(?=[A-Z])", "+"), (r"(?<=[A-Z)])\+(?=\d)", "-"), (r"0x00", "0x01"), (r"0x01", "0x00"),
)  # fmt: skip


def within(section: str, old: str, new: str) -> str:
    """The draft with something changed wherever it stands in one section."""
    lines, inside, found = current().split("\n"), False, []
    parts: list[list[str]] = [[], [], []]
    for line in lines:
        if line.startswith("#") and (inside or not parts[1]):
            inside = reading.slug(line) == section
        parts[1 if inside else 2 if parts[1] else 0].append(line)
    middle = "\n".join(parts[1])
    assert old in middle, f"{section} does not hold {old!r}"
    found = ["\n".join(parts[0]), middle.replace(old, new), "\n".join(parts[2])]
    return "\n".join(found)


def _outside(text: str) -> list[tuple[int, int]]:
    """The stretches of a formula that are no string."""
    cuts = [0, *(at for one in _STRING.finditer(text) for at in one.span()), len(text)]
    return list(zip(cuts[::2], cuts[1::2], strict=True))


def changed(text: str) -> Iterator[str]:
    """A formula with one sign, number, name of a function, label, or the order of two arguments changed."""
    for low, high in _outside(text):
        for pattern, instead in _SWAPS:
            for one in re.finditer(pattern, text[low:high]):
                yield text[: low + one.start()] + instead + text[low + one.end() :]
        for one in re.finditer(r"(?<![\w.\-])\d+(?![\w.*])", text[low:high]):
            more = str(int(one[0]) + 1)
            yield text[: low + one.start()] + more + text[low + one.end() :]
    for one in _STRING.finditer(text):
        yield text[: one.end() - 1] + "x" + text[one.end() - 1 :]
    yield from _moved(text)


def _moved(text: str) -> Iterator[str]:
    """A formula with two terms in each other's place, and with a term less."""
    arguments = r"(?<=[(,] )([\w ]+|\w+\(\w+\)), ([\w ]+|\w+\(\w+\))(?=[,)])"
    for joint, pattern in ((", ", arguments), (" || ", r"(\w+|\w+\(\w+\)) \|\| (\w+|\w+\(\w+\))$")):
        for one in re.finditer(pattern, text):
            if not re.match(r"(?:.*\b)?(max|min)\(|.*\{", text):
                yield text[: one.start()] + f"{one[2]}{joint}{one[1]}" + text[one.end() :]
    for one in re.finditer(r"(, [\w ]+(?=[,)}])| \|\| \w+)(?! \|\| \.\.\.|, \.\.\.)", text):
        yield text[: one.start()] + text[one.end() :]
    last = list(re.finditer(r"[A-Za-z]\w*", text))
    yield text[: last[-1].end()] + "x" + text[last[-1].end() :] if last else "&&"


def of_formula(one: Formula) -> Iterator[tuple[str, str]]:
    """Every change of a formula, and the draft that has it."""
    for text in dict.fromkeys(changed(one.text)):
        raw = f"`{text}`" if one.raw.startswith("`") else f"{text}    {one.condition}".rstrip()
        yield text, within(one.section, one.raw, raw)
    if one.condition:
        for condition in changed(one.condition):
            yield condition, within(one.section, one.raw, f"{one.text}    {condition}")


def of_table(name: str) -> Iterator[tuple[str, str]]:
    """A table with a row less, or with one number or name of a row changed."""
    for one in reading.tables_of(name):
        whole = "\n".join(one.lines)
        assert current().count(whole) == 1
        for place, line in enumerate(one.lines[2:], 2):
            rest = one.lines[:place], one.lines[place + 1 :]
            yield f"without {line}", current().replace(whole, "\n".join((*rest[0], *rest[1])))
            for found in re.finditer(
                r"(?<![\w.\-^])\d+(?![\w.])|(?<=\.\.)\d+|(?<=\^)\d+|(?<=`)[a-z_]+(?=`)", line
            ):
                new = f"{int(found[0]) + 1}" if found[0].isdigit() else found[0] + "x"
                changed_line = line[: found.start()] + new + line[found.end() :]
                yield changed_line, current().replace(whole, "\n".join((*rest[0], changed_line, *rest[1])))


def of_object(one: Formula) -> Iterator[tuple[str, str]]:
    """An object with a number or a name of a member changed."""
    names = r"(?:(?<=\{)|(?<=, )|(?<=\"))[A-Za-z_]+(?=[,:?}\"]| \()"
    for found in re.finditer(rf"(?<![\w.\-^])\d+(?![\w.])|(?<=\.\.)\d+|{names}", one.text):
        new = f"{int(found[0]) + 1}" if found[0].isdigit() else found[0] + "x"
        text = one.text[: found.start()] + new + one.text[found.end() :]
        yield text, within(one.section, one.raw, f"`{text}`")


def of_figure(where: str) -> Iterator[tuple[str, str]]:
    """A figure with one line less, and with one word of a line changed."""
    lines = reading.read(current()).figures[where][0].split("\n")
    for n, line in enumerate(lines):
        less = lines[:n] + lines[n + 1 :]
        for other in (less, [*lines[:n], re.sub(r"(?<=\w)\w", "z", line, count=1), *lines[n + 1 :]]):
            yield f"{line} in {where}", within(where, "\n".join(lines), "\n".join(other))


def of_references(name: str) -> Iterator[tuple[str, str]]:
    """A table with one reference to what does not exist."""
    (one,) = reading.tables_of(name)
    whole = "\n".join(one.lines)
    for found in re.finditer(r"(?<=\{\{)[\w-]+(?=\}\})", whole):
        table = whole[: found.end()] + "-nowhere" + whole[found.end() :]
        yield found[0], current().replace(whole, table)
