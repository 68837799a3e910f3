"""Tables of appraisal, compute records and compute claims against the code."""

import dataclasses
import hashlib
import re
from itertools import product
from types import SimpleNamespace

import worked
from parley_attestation.because import Because
from parley_attestation.ed25519 import PublicKey, SigningKey
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.evidence import Assurance, nitro, snp
from parley_attestation.evidence.compute import (
    Backing,
    Claim,
    ClaimKind,
    Device,
    Inventory,
    Problem,
    Records,
    Window,
    check_records,
    judge_claim,
    read_records,
    seal_record,
)
from parley_attestation.evidence.compute.records import FORMULAS, Close, Declaration, Record, Snapshot
from parley_attestation.evidence.findings import Finding
from parley_attestation.evidence.model import Kind
from reading import section, table

RUN, OTHER = Bytes32(b"\1" * 32), Bytes32(b"\2" * 32)
KEY = SigningKey(b"\t" * 32)
ZERO = Digest(bytes(32))
KINDS = {
    "a record": {Declaration, Window, Snapshot, Close},
    "the last record": {Declaration, Window, Snapshot, Close},
    "a declaration": {Declaration},
    "a window": {Window},
    "of the windows": {Window},
    "a window, snapshot or close": {Window, Snapshot, Close},
    "a snapshot or close": {Snapshot, Close},
    "a step": {Snapshot},
    "a close": {Close},
}


def chains() -> list[tuple[Records, list[dict]]]:
    """The valid chains of the vectors, with the faults of each."""
    return [
        (
            read_records([one.encode() for one in test["records"]], PublicKey(bytes.fromhex(test["key"]))),
            test["faults"],
        )
        for test in worked.tests("compute_records")
        if test["result"] == "valid"
    ]


def test_the_table_of_problems_says_at_which_records_each_stands():
    rows = table("problems").rows
    assert [name for name, _ in rows] == [problem.value for problem in Problem]
    allowed = {}
    for name, where in rows:
        starts = [max((one for one in KINDS if part.startswith(one)), key=len) for part in where.split("; ")]
        allowed[name] = set().union(*(KINDS[start] for start in starts))
    assert "A step is a snapshot of a declared run" in section("records-checks")
    seen = set()
    for records, faults in chains():
        for fault in faults:
            assert type(records.records[fault["sequence"]].body) in allowed[fault["problem"]], fault
            seen.add((fault["problem"], type(records.records[fault["sequence"]].body)))
    assert {name for name, _ in seen} == set(allowed)
    _numbers_of_problems(dict(rows))


def _numbers_of_problems(rules: dict[str, str]) -> None:
    """The numbers and fields that the rules of three problems name."""
    (at,) = re.findall(r"a record with a lower `(\w+)` than the one before it", rules["TIME_NOT_MONOTONIC"])
    assert at in {one.name for one in dataclasses.fields(Record)}
    factors = re.search(r"flop is not (\d) or (\d) \(by the formula\) times", rules["FLOP_FORMULA"])
    assert factors
    assert [int(one) for one in factors.groups()] == list(FORMULAS.values())
    least, floor = map(int, re.findall(r"not above (\d),.*, negative ones as (\d)$", rules["UTILISATION"])[0])
    for growth, spent in ((0, 9), (1, 9), (12, 2), (13, 2), (18, 2)):
        bound = 6 * (max(spent, floor) + max(-4, floor))
        declared = Declaration(
            RUN, 1, "2ND", 10**9, "x", (Device("a", 6), Device("b", 6)), ZERO, ZERO, ZERO, 99
        )
        first = Snapshot(RUN, 1, 1, 30, ZERO, 1, {"a": 5, "b": 5})
        second = Snapshot(RUN, 2, 2, 30 + growth, ZERO, 2, {"a": 5 + spent, "b": 1})
        sealed: list[bytes] = []
        for time, body in ((0, declared), (20, first), (40, second)):
            sealed.append(seal_record(sealed[-1] if sealed else None, time, body, KEY))
        found = check_records(read_records(sealed, KEY.public))
        there = any((one.sequence, one.problem) == (2, Problem.UTILISATION) for one in found)
        assert there == (not least < growth <= bound), (growth, spent)


def test_the_text_has_a_rule_of_appraisal_for_every_kind_of_evidence():
    rows = table("appraisal").rows
    named = [kind for row in rows for kind in re.findall(r"`([a-z0-9-]+)`", row[0])]
    assert sorted(named) == sorted(kind.value for kind in Kind)
    rules = {row[0].strip("`"): row[1] for row in rows}
    versions = re.search(r"report of version (\d)\.\.(\d), (\d+) bytes", rules["snp"])
    assert versions
    assert int(versions[3]) == snp.REPORT_SIZE
    for version in range(7):
        raw = bytearray(snp.REPORT_SIZE)
        raw[0], raw[0x34] = version, 1
        taken = int(versions[1]) <= version <= int(versions[2])
        assert _reads(bytes(raw)) == taken, version
    assert f"at most {nitro.MAX_SKEW} seconds after `at`" in rules["nitro"]
    spans = {kind for rule in rules.values() for kind in re.findall(r"(?<=[ ^])`([a-z0-9-]+)`", rule)}
    assert spans - {"at"} <= {kind.value for kind in Kind}
    (zeros,) = re.findall(r"hash of the runtime JSON and (\d+) zeros", rules["az-snp-vtpm`, `az-tdx-vtpm"])
    assert int(zeros) == 64 - hashlib.sha256().digest_size
    fields = dict(zip((row[0] for row in rows), (row[2] for row in rows), strict=True))
    assert set(fields.values()) == {
        "report data",
        "nonce",
        "extraData",
        "extraData of the vTPM quote",
        "binder",
    }


def _reads(raw: bytes) -> bool:
    try:
        snp.parse(raw)
    except snp.EvidenceError as error:
        return error.finding is not Finding.UNSUPPORTED_VERSION
    return True


WHOLE = Inventory(frozenset({"gpu-a", "gpu-b"}), 0, 2000)


def backing(key: bytes, assurance: Assurance) -> Backing:
    """An appraisal of the records' key."""
    return Backing(SimpleNamespace(assurance=assurance), SimpleNamespace(answering_key=key))


class Case:
    """One claim over one chain, and what the words of the table are of it."""

    def __init__(self, records: Records, kind: str, flop: int, devices: frozenset[str], run: Bytes32) -> None:
        self.records, self.kind, self.bound, self.devices = records, kind, flop, devices
        self.claim = Claim(ClaimKind(kind), flop, devices, run)
        busy = [body for _, body in records.bodies(Window) if body.run is not None]
        self.flop = max((body.flop for _, body in records.bodies(Snapshot)), default=0)
        self.used = {body.device for body in busy}
        self.others = {body.device for body in busy if body.device in devices and body.run != run}

    def holds(self, condition: str, w: list[str], g: list[str]) -> bool:
        """Whether the condition of a clause holds."""
        return {
            "FLOP above the bound": self.flop > self.bound,
            "FLOP below the bound": self.flop < self.bound,
            "G not empty": bool(g),
            "W not empty": bool(w),
            "G not empty, or no device in the claim": bool(g) or not self.devices,
            "a window of a device of the claim names another run than the claim's": bool(self.others),
            "a used device that the claim does not name": bool(self.used - self.devices),
            "No used device": not self.used,
        }[condition]

    def expected(self, cell: str, w: list[str], g: list[str]) -> tuple[str, list[str]]:
        """What the first clause that applies gives."""
        for clause in cell.rstrip(".").split(". "):
            condition, _, result = clause.rpartition(": ")
            if condition and not self.holds(condition, w, g):
                continue
            given, _, otherwise = result.removeprefix("Else ").partition(", where G is not empty, else ")
            word, *because = (otherwise if otherwise and not g else given).split(", ")
            found: list[str] = []
            for one in because:
                name, _, rest = one.removeprefix("then ").partition(" ")
                many = {"for each such device": self.others, "for each": self.used - self.devices}
                found += {"G": g, "W": w}.get(name, [name] * len(many.get(rest, "1")))
            return word, found
        raise AssertionError(cell)


def names(sentences: tuple[str, ...]) -> list[str]:
    """The names of sentences in the registry."""
    forms = {one.name: re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(one.value))) for one in Because}
    return [next(name for name, form in forms.items() if form.fullmatch(said)) for said in sentences]


def test_the_table_of_compute_claims_is_what_the_code_derives():
    rules = {kind.strip("`"): cell for kind, cell in table("compute-claims").rows}
    assert set(rules) == {kind.value for kind in ClaimKind}
    honest = chains()[0][0]
    idle = read_records([seal_record(None, 5, Window("gpu-a", "b", 0, 5, None), KEY)], KEY.public)
    given = [
        (None, ["OWNERS_WORD"]),
        (lambda _key: backing(bytes(32), Assurance.ATTESTED), ["OTHER_KEY"]),
        (lambda key: backing(key, Assurance.SIMULATED), ["NOT_ATTESTED"]),
        (lambda key: backing(key, Assurance.ATTESTED), []),
    ]
    seen = set()
    devices = (frozenset(), frozenset({"gpu-a"}), WHOLE.devices)
    for records, kind, flop, named, run in product(
        (honest, idle), rules, (0, 12 * 10**14 - 1, 12 * 10**14, 12 * 10**14 + 1), devices, (RUN, OTHER)
    ):
        case = Case(records, kind, flop, named, run)
        for (by, w), inventory in product(given, (None, WHOLE)):
            lacking = (
                ["NO_INVENTORY"] if inventory is None else [] if records is honest else ["UNACCOUNTED"] * 2
            )
            word, because = case.expected(rules[kind], w, [*w, *lacking])
            found = judge_claim(records, case.claim, inventory, by and by(records.key))
            assert (found.decision.value, names(found.reasons)) == (word, because), (kind, w, lacking)
            seen |= {(kind, word), *because}
    assert len([one for one in seen if isinstance(one, tuple)]) == 3 * len(rules)
