"""Sealed mode and platform collateral: the formulas of the text against the code."""

import io
import re
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from evaluate import BYTES, NUMBERS, hashing, value_of
from hypothesis import strategies as st
from parley_attestation.canonical import Fields
from parley_attestation.edge import packages
from parley_attestation.encoding import Bytes32, Digest
from parley_attestation.errors import Role
from parley_attestation.evidence import collateral
from parley_attestation.evidence.findings import Ledger
from parley_attestation.receipt import outcome_bits
from parley_attestation.sealing import CHUNK, Grant, Sealed, seal
from reading import formula, section
from worked import digests, inputs


@inputs(populations=st.lists(st.integers(1, 500), min_size=1, max_size=4), round_to=st.integers(1, 40))
def test_the_bits_of_an_outcome_are_those_of_the_text(populations, round_to):
    enough, ways = formula("sealed-terms", "2^b >= ").text, formula("sealed-terms", "floor(F / ").text
    assert f"are the least b with `{enough}`, R the product over the metric claims of `{ways}`" in section(
        "sealed-terms"
    )
    for sizes in (populations, [5], [4], [12]):
        names = {"round_to": round_to if sizes is populations else 1, **NUMBERS}
        told = prod(value_of(ways, {**names, "F": size}) for size in sizes)
        least = next(b for b in range(200) if value_of(enough, {"b": b, "R": told}))
        assert outcome_bits(sizes, names["round_to"]) == least


@inputs(data_key=digests, session=digests, plain=st.binary(max_size=100), role=st.integers(1, 3))
def test_content_is_sealed_as_the_text_says(data_key, session, plain, role):
    header, key = formula("sealing", "header =").right, formula("sealing", "mac(data key").text
    roles = re.search(
        r"one byte, 1 for the (\w+)'s weights, 2 for the (\w+)'s tests and 3 for a (\w+)'s",
        section("sealing"),
    )
    assert roles
    code = {1: Role.PROVER, 2: Role.VERIFIER, 3: Role.CHAMBER}[role]
    assert roles[role] == code.value
    sealed = Sealed(code, Digest(session), Digest(session[::-1]), len(plain))
    names = hashing(role=bytes([role]), session=session, commitment=session[::-1], size=len(plain))
    names["header"] = value_of(header, names)
    assert names["header"] == sealed.header()
    first, chunk = seal(sealed, Bytes32(data_key), io.BytesIO(plain).read)
    assert first == names["header"]
    cipher = AESGCM(value_of(key, {**names, "data key": data_key}))
    assert cipher.decrypt(bytes(11) + b"\1", chunk, first) == plain


@inputs(
    session=digests,
    keys=digests,
    size=st.integers(0, 2**44),
    role=st.sampled_from([Role.PROVER, Role.VERIFIER]),
)
def test_a_data_key_is_released_under_the_info_of_the_text(session, keys, size, role):
    said, text = formula("sealing", "info =").right, section("sealing")
    chunk = re.search(r"cut into chunks of 2\^(\d+) bytes", text)
    assert chunk
    assert 2 ** int(chunk[1]) == CHUNK
    sealed = Sealed(role, Digest(session), Digest(session[::-1]), size)
    names = hashing(
        role=role.encode(), session=session, commitment=session[::-1], keys=keys, terms=keys[::-1]
    )
    names["n"] = max(1, -(-size // 2 ** int(chunk[1])))
    assert value_of(said, names) == Grant(sealed, Digest(keys), Digest(keys[::-1])).info()


def test_the_plain_content_is_framed_as_the_text_says():
    frame, bare = formula("sealing", "u64(len(part)) || part").text, formula("sealing", "u64(size)").text
    text = section("sealing")
    assert f"a stream of frames, a frame being `{frame}`" in text

    def framed(*parts: bytes) -> bytes:
        return b"".join(value_of(frame, {**BYTES, "part": part}) for part in parts)

    master, seed, items = bytes(32), bytes([1]) * 32, [(b"2+2", b"4"), (b"", b"five")]
    assert (
        "the set's master secret (32), the seed of the result tree (32), then the prompt and the reference"
        in text
    )
    made = b"".join(packages.write_tests(Bytes32(master), Bytes32(seed), items))
    assert made == framed(master, seed, *(part for item in items for part in item))
    assert f"then for every file its path in a frame, `{bare}` and its bytes without a frame" in text
    assert "an empty frame and the program's files in the same way" in text
    secret = SimpleNamespace(encode=lambda: b"secret")
    with TemporaryDirectory() as folder:
        for name in ("w", "run"):
            (Path(folder) / name).write_bytes(name.encode() * 3)
        files = {name: [(name, Path(folder) / name)] for name in ("w", "run")}
        made = b"".join(packages.write_weights(secret, files["w"], files["run"]))

    def file(name: bytes) -> bytes:
        return framed(name) + value_of(bare, {**BYTES, "size": 3 * len(name)}) + name * 3

    assert made == framed(b"secret") + file(b"w") + framed(b"") + file(b"run")


def test_collateral_is_in_force_when_the_text_says_so():
    said = formula("layout-dcap", "issueDate <= at").text
    stamps = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (100, 103)]
    for at in range(98, 106):
        ledger = Ledger()
        fields = Fields({"issueDate": stamps[0], "nextUpdate": stamps[1]})
        collateral._dates(fields, "collateral", at, ledger)
        held = all(check.ok for check in ledger.checks)
        assert held == value_of(said, {"issueDate": 100, "at": at, "nextUpdate": 103})


def test_the_level_of_a_platform_is_the_first_that_the_text_takes():
    said = formula("layout-dcap", "pcesvn <= ").text
    platform = SimpleNamespace(pce_svn=7, components=(3,) * 16)
    for pcesvn in range(5, 10):
        level = {"tcb": {"pcesvn": pcesvn, "sgxtcbcomponents": [{"svn": 3}] * 16}, "tcbStatus": "UpToDate"}
        status, _ = collateral._platform(Fields({"tcbLevels": [level]}), SimpleNamespace(), platform)
        reached = value_of(said, {"pcesvn": pcesvn, "PCESVN": platform.pce_svn})
        assert status == ("UpToDate" if reached else "Unrecognised")


def test_the_level_of_a_quoting_enclave_is_the_first_that_the_text_takes():
    said = formula("layout-dcap", "isvsvn <= isv_svn").text
    report = SimpleNamespace(
        mrsigner=bytes(32), isv_prod_id=1, misc_select=bytes(4), attributes=bytes(16), isv_svn=6
    )
    for isvsvn in range(4, 9):
        identity = {
            "id": "QE", "version": 2, "mrsigner": bytes(32).hex(), "isvprodid": 1,
            "miscselect": bytes(4).hex(), "miscselectMask": bytes(4).hex(),
            "attributes": bytes(16).hex(), "attributesMask": bytes(16).hex(),
            "tcbLevels": [{"tcb": {"isvsvn": isvsvn}, "tcbStatus": "UpToDate"}],
        }  # fmt: skip
        status, _ = collateral._quoting_enclave(Fields(identity), report, "QE", Ledger())
        reached = value_of(said, {"isvsvn": isvsvn, "isv_svn": report.isv_svn})
        assert status == ("UpToDate" if reached else "Unrecognised")
