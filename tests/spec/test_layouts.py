"""The layouts of evidence as the text gives them are the ones that the code reads."""

import re
from itertools import pairwise

import pytest
from parley_attestation.evidence import azure, dcap, nitro, nvidia, simulated, snp, tdx, tpm2
from parley_attestation.evidence.findings import EvidenceError
from parley_attestation.evidence.wire import Reader
from reading import figure, section, table

SEED = bytes((7 * n + n // 251) % 256 for n in range(2048))  # no two fields of these layouts are alike


def field(row: tuple[str, ...]) -> tuple[str, slice]:
    offset, size, name = row
    at = int(offset, 0)
    return re.split(r"[ :(]", name)[0], slice(at, at + int(size))


def test_the_report_of_snp_has_its_fields_where_the_text_says():
    raw = bytearray(SEED[: snp.REPORT_SIZE])
    raw[0:4], raw[0x34:0x38], raw[0x330:] = b"\3\0\0\0", b"\1\0\0\0", bytes(368)
    report, rows = snp.parse(bytes(raw)), table("layout-snp").rows
    named = {name: bytes(raw[where]) for name, where in map(field, rows) if hasattr(report, name)}
    assert set(named) == set(snp.Report.__slots__) - {"raw", "signing_key", "signature"}
    for name, value in named.items():
        found = getattr(report, name)
        if isinstance(found, int):
            assert found == int.from_bytes(value, "little"), name
        else:
            assert bytes(found) == value, name
    ends = {name: bytes(raw[where]) for name, where in map(field, rows)}
    assert report.signature == tuple(int.from_bytes(ends[f"{n},"], "little") for n in "rs")
    assert report.signing_key == raw[0x48] >> 2 & 7
    places = [where for _, where in map(field, rows)]
    assert all(one.stop <= after.start for one, after in pairwise(places))
    _bits(raw, {row[2]: field(row)[1] for row in rows})
    last = field(rows[-1])[1]
    assert (last.stop, rows[-1][2]) == (snp.REPORT_SIZE, "zeros")
    assert f"{snp._SIGNED:#X}".replace("X", "x") in section("layout-snp")
    assert "bit 19 debug, bit 18 migration" in {r[0]: r[2] for r in rows}["0x008"]
    assert (snp._DEBUG, snp._MIGRATE) == (1 << 19, 1 << 18)


def _bits(raw: bytearray, rows: dict[str, slice]) -> None:
    """The fields whose rows say more than a name."""
    (key,) = [row for row in rows if "signing_key" in row]
    low, high, vcek, vlek = map(
        int, re.findall(r"bits (\d)\.\.(\d): signing_key, (\d) VCEK, (\d) VLEK", key)[0]
    )
    assert (vcek, vlek) == (snp._VCEK, snp._VLEK)
    for number in range(64):
        raw[rows[key].start] = number
        assert snp.parse(bytes(raw)).signing_key == number % 2 ** (high + 1) >> low
    (algorithm,) = [row for row in rows if row.startswith("algorithm of the signature, ")]
    raw[rows[algorithm]] = int(algorithm.rsplit(" ")[-1]).to_bytes(
        rows[algorithm].stop - rows[algorithm].start, "little"
    )
    assert snp.parse(bytes(raw))
    raw[rows[algorithm].start] ^= 2
    with pytest.raises(EvidenceError):
        snp.parse(bytes(raw))
    raw[rows[algorithm].start] ^= 2
    (cpuid,) = [row for row in rows if row.startswith("cpuid: family, model, stepping")]
    for version in range(2, 6):
        raw[0] = version
        found = snp.parse(bytes(raw)).cpuid
        since = int(re.findall(r"from version (\d) on", cpuid)[0])
        assert found == (tuple(raw[rows[cpuid]]) if version >= since else None)


def test_the_bytes_of_a_tcb_version_are_those_of_the_code():
    names = ["fmc", "bl", "tee", "snp", "ucode"]
    *products, extension = table("layout-tcb").rows
    read = {row[0]: {n: int(at) for n, at in zip(names, row[1:], strict=True) if at} for row in products}
    assert read == snp._TCB_BYTES
    assert f"under {snp._ARC[:-1]}:" in section("layout-snp")
    assert {n: snp.oid(snp._ARC + number) for n, number in zip(names, extension[1:], strict=True)} == snp._SPL


def test_a_body_has_its_fields_where_the_text_says():
    td, sgx = table("layout-td").rows, table("layout-sgx").rows
    for rows, read, size in ((td, tdx.td_report, 648), (sgx, tdx.sgx_report, 384)):
        raw = SEED[:size]
        body = read(Reader(raw, "body"))
        values = {name: getattr(body, name) for name in type(body).__slots__ if name != "rtmrs"}
        values |= {f"rtmr{n}": value for n, value in enumerate(getattr(body, "rtmrs", ()))}
        places = dict(map(field, rows))
        assert set(places) == set(values)
        for name, where in places.items():
            found = values[name]
            assert (found.to_bytes(2, "little") if isinstance(found, int) else found) == raw[where], name
        assert max(where.stop for where in places.values()) == size


def test_the_framing_of_quotes_is_the_codes():
    text = section("layout-dcap")
    assert f"`{tdx._INTEL_QE.hex()}`" in text
    assert f"A header of {tdx._HEADER} bytes" in text
    said = re.search(r"1 and (\d+) for SGX, 2 and (\d+) or 3 and (\d+) for TDX", text)
    assert said
    assert {n: int(said[n]) for n in (1, 2, 3)} == {kind: size for kind, (size, _) in tdx._BODIES_V5.items()}
    assert f"type {tdx._QE_REPORT} (2)" in text
    assert f"Type {tdx._PCK_CHAIN} (2)" in text
    assert all(f"`{name}`" in text for name in dcap._PCK_AUTHORITIES)
    reserved = re.search(r"; (\d+)\.\.(\d+), (\d+)\.\.(\d+) and (\d+)\.\.(\d+) are reserved", text)
    assert reserved
    bits = [int(one) for one in reserved.groups()]
    mask = sum(1 << n for low, high in zip(bits[::2], bits[1::2], strict=True) for n in range(low, high + 1))
    assert mask == dcap._TD_RESERVED


def _entry(cell: str, values: dict[str, int], value: bytes) -> bytes:
    """One entry as a cell lists it: names with sizes in parentheses, a number before them being the value."""
    made = b""
    for name, given, size in re.findall(r"(\w+)(?: (\d+))? \((\d+)\)", cell):
        made += (int(given) if given else values[name]).to_bytes(int(size), "little")
    return made + value


def test_a_gpu_report_written_by_the_text_is_read():
    fixed = [(size, content) for size, content in table("layout-nvidia").rows]
    cells = {content.partition(":")[0]: content for _, content in fixed}
    block = _entry(cells["blocks"], {"index": 1, "size": 3 + 4, "type": 0, "length": 4}, b"abcd")
    opaque = b"".join(
        _entry(cells["opaque data"], {"type": n, "length": len(value)}, value)
        for n, value in ((3, b"570\0"), (20, b"fw"))
    )
    made, variable = b"", iter((block, opaque))
    for size, content in fixed:
        given = re.match(r"`([0-9a-f]+)`", content)
        if given:
            made += bytes.fromhex(given[1])
            assert len(given[1]) == 2 * int(size)
        elif not size:
            made += next(variable)
        elif content == "zeros":
            least, _, most = size.partition("..")
            assert nvidia.parse(made + bytes(int(least)))
            made += bytes(int(most))
            with pytest.raises(EvidenceError):
                nvidia.parse(made + b"\0")
        else:
            value = {"number of blocks": 1, "length of the blocks": len(block)}.get(content)
            value = len(opaque) if content == "length of the opaque data" else value
            made += SEED[: int(size)] if value is None else value.to_bytes(int(size), "little")
    report = nvidia.parse(made)
    assert (report.request + report.response).hex() == "11e001ff1160"
    assert report.nonce == SEED[:32]
    assert (dict(report.measurements), report.opaque["fwid"]) == ({1: b"abcd"}, b"fw")
    assert report.signature == SEED[: nvidia._SIGNATURE]
    assert fixed[-1][1] == "zeros"
    assert nvidia.DEFAULT_NONCE.hex() == figure("layout-nvidia")
    for number, name in re.findall(r"(\d+) `(\w+)`", section("layout-nvidia")):
        assert nvidia._OPAQUE[int(number)] == name
    assert {nvidia._OPAQUE[n] for n in (23, 24, 25)} == set(nvidia._SWITCH_ONLY)


def test_names_and_numbers_of_the_other_layouts_are_the_codes():
    assert f"at most {nitro.MAX_DOCUMENT} bytes" in section("layout-nitro")
    assert f"at most {nitro.MAX_FIELD} bytes" in section("layout-nitro")
    assert all(f"`{name}`" in section("layout-nitro") for name in nitro._REQUIRED)
    text = section("layout-tpm")
    assert f"`{tpm2._MAGIC.hex()}`, `{tpm2._QUOTE:04x}`" in text
    assert {int(n, 0) for n in re.findall(r"(0x000[4BC]) SHA", text)} == set(tpm2._BANKS)
    said = re.search(r"report in (\d+) bytes", text)
    assert said
    assert int(said[1]) == azure._HW_REPORT
    assert f"`HCLA`, {azure._HCL_HEADER - 4} bytes" in text
    assert f"`{simulated.PROFILE}`" in section("layout-simulated")
    assert f"At most {simulated.MAX_SIZE} bytes" in section("layout-simulated")
