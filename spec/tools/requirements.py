"""Extracts every requirement of the draft into requirements.json, and refuses what breaks the registry.

A requirement is one sentence with one BCP 14 keyword that ends in its identifier: "... (FRAME-1)." The
ledger holds the hash of every sentence ever accepted: a changed sentence needs `--accept`, which appends.
"""

import argparse
import hashlib
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

SPEC = Path(__file__).parent.parent
DRAFT = SPEC / "draft-parley-mutual-verification.md"
REGISTRY = SPEC / "requirements.json"
LEDGER = SPEC / "requirements.ledger"
PROTO = SPEC.parent / "proto/parley/v1"
RETIRED = "retired"

_KEYWORD = re.compile(
    r"\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|NOT RECOMMENDED|RECOMMENDED|REQUIRED|MAY|OPTIONAL)\b"
)
_ID = re.compile(r"\(([A-Z]+-[1-9][0-9]*)\)")
_BLOCK = re.compile(r"^~~~ ?(\w*)\n(.*?)^~~~$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+?)(?: \{#([\w-]+)\})?$")
_SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z`*0-9(])")
_ROLES = (
    "prover",
    "verifier",
    "chamber",
    "witness",
    "judge",
    "receiver",
    "sender",
    "party",
    "implementation",
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: where it stands, whom it binds, and how strongly."""

    id: str
    level: str
    role: str
    section: str
    text: str
    sha256: str


def extract(draft: str) -> tuple[list[Requirement], list[str]]:
    """Every requirement of the draft in order, and what is wrong with it."""
    found: list[Requirement] = []
    problems: list[str] = []
    section = ""
    body = _BLOCK.sub("", draft.partition("--- middle")[2])
    body = body.replace("(FRAME-1). Identifiers are never", ". Identifiers are never", 1)  # names the form
    for paragraph in re.split(r"\n\s*\n|\n(?=[*#|]|\d+\. )", body):
        heading = _HEADING.match(paragraph.strip())
        if heading:
            section = heading[1]
            continue
        for sentence in _SENTENCE.split(" ".join(paragraph.split())):
            _read(sentence, section, found, problems)
    seen = [one.id for one in found]
    problems += [f"{name}: stands twice" for name in sorted({i for i in seen if seen.count(i) > 1})]
    return found, problems


def _read(sentence: str, section: str, found: list[Requirement], problems: list[str]) -> None:
    words, ids = _KEYWORD.findall(sentence), _ID.findall(sentence)
    if not words and not ids:
        return
    short = sentence[:70]
    if not ids:
        problems.append(f"keyword without identifier: {short}")
    elif not words:
        problems.append(f"{ids[0]}: identifier without keyword: {short}")
    elif len(words) > 1 or len(ids) > 1 or not sentence.endswith(f"({ids[0]})."):
        problems.append(f"{ids[0]}: expected one keyword and one identifier at the end: {short}")
    else:
        text = sentence.removesuffix(f" ({ids[0]}).") + "."
        subject = sentence.partition(words[0])[0].lower()
        role = min((r for r in _ROLES if r in subject), key=subject.index, default="")
        if not role:
            problems.append(f"{ids[0]}: names nobody who has to obey: {short}")
        digest = hashlib.sha256(text.encode()).hexdigest()
        found.append(Requirement(ids[0], words[0], role, section, text, digest))


def check_ledger(found: list[Requirement], ledger: str) -> list[str]:
    """What of the requirements the ledger does not know, or knows otherwise."""
    last: dict[str, str] = {}
    owner: dict[str, str] = {}
    problems = []
    for line in ledger.splitlines():
        name, value = line.split()
        if last.get(name) == RETIRED:
            problems.append(f"{name}: used again after it was retired")
        last[name] = value
        owner.setdefault(value, name)
    now = {one.id: one.sha256 for one in found}
    for name, digest in now.items():
        if last.get(name) == RETIRED:
            problems.append(f"{name}: was retired and cannot be used again")
        elif owner.get(digest, name) != name and owner[digest] not in now:
            problems.append(f"{name}: is {owner[digest]} under another number")
        elif last.get(name) != digest:
            problems.append(f"{name}: new or changed without a ledger entry")
    gone = [name for name, value in last.items() if value != RETIRED and name not in now]
    return problems + [f"{name}: left the draft without being retired" for name in gone]


def check_proto(draft: str, proto: str) -> list[str]:
    """Protobuf blocks of the draft that the definitions do not hold, comments aside."""
    known = _bare(proto)
    blocks = [block for kind, block in _BLOCK.findall(draft) if kind == "protobuf"]
    return [f"protobuf block differs from proto/: {b.split('{')[0]}" for b in blocks if _bare(b) not in known]


def _bare(proto: str) -> str:
    return " ".join(re.sub(r"//.*", "", proto).split())


def render(found: list[Requirement]) -> str:
    """The registry file."""
    return json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False) + "\n"


def accept(found: list[Requirement], ledger: str) -> str:
    """The ledger with an entry for everything new, changed or gone."""
    lines = ledger.splitlines()
    last = dict(line.split() for line in lines)
    now = {one.id: one.sha256 for one in found}
    lines += [f"{name} {digest}" for name, digest in now.items() if last.get(name) != digest]
    lines += [f"{name} {RETIRED}" for name, value in last.items() if value != RETIRED and name not in now]
    return "".join(f"{line}\n" for line in lines)


def main() -> int:
    """Check, or with --accept write, the registry and its ledger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write registry and ledger")
    wanted = parser.parse_args().accept
    draft = DRAFT.read_text()
    proto = "\n".join(path.read_text() for path in sorted(PROTO.glob("*.proto")))
    found, problems = extract(draft)
    problems += check_proto(draft, proto)
    ledger = LEDGER.read_text() if LEDGER.exists() else ""
    if wanted and not problems:
        ledger = accept(found, ledger)
        LEDGER.write_text(ledger)
        REGISTRY.write_text(render(found))
    problems += check_ledger(found, ledger)
    if not REGISTRY.exists() or REGISTRY.read_text() != render(found):
        problems.append("requirements.json is not what the draft gives")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems) or f"{len(found)} requirements\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
