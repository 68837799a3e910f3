"""The filter of a box, run in an interpreter of its own: what a hostile call gets, on both machines."""

import re
import struct
from pathlib import Path

import pytest
from parley_attestation.errors import LocalError
from parley_chamber.seccomp import SOCKETS, TABLES, allowlist

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def verdict(program: bytes, arch: int, number: int, *arguments: int) -> int:
    """Run classic BPF over struct seccomp_data, as the kernel does."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    code, at, held = list(struct.iter_unpack("<HBBI", program)), 0, 0
    while True:
        kind, yes, no, value = code[at]
        at += 1
        if kind == 0x20:
            held = struct.unpack_from("<I", data, value)[0]
        elif kind == 0x15:
            at += yes if held == value else no
        elif kind == 0x45:
            at += yes if held & value else no
        else:
            assert kind == 0x06
            return value


@pytest.fixture(params=sorted(TABLES))
def machine(request):
    return request.param


def ask(machine, number, *arguments, processes=False, sockets=False):
    rules = allowlist(machine, processes=processes, sockets=sockets)
    return verdict(rules, TABLES[machine][0], number, *arguments)


def test_only_what_is_listed_is_allowed_and_all_else_does_not_exist(machine):
    numbers = {name: n for name, n in TABLES[machine][1].items() if name not in {"clone", "ioctl", "prctl"}}
    allowed = {n for n in range(1024) if ask(machine, n, 1 << 40) == ALLOW}
    assert allowed == {n for name, n in numbers.items() if name not in {"fork", "vfork"}}
    assert ask(machine, 0x40000000) == ENOSYS, "nor do the numbers of the x32 interface"


@pytest.mark.parametrize(
    "name", ["socket", "connect", "unshare", "ptrace", "mount", "io_uring_setup", "clone3", "bpf"]
)
def test_ways_out_are_not_listed(machine, name):
    assert name not in TABLES[machine][1]


def test_a_box_with_sockets_has_local_ones_alone(machine):
    numbers = SOCKETS[machine]
    for name, number in numbers.items():
        assert ask(machine, number, 1) == ENOSYS, "and another box has none"
        assert ask(machine, number, 1, sockets=True) == ALLOW
        for family in (0, 2, 10, 16, 17, 40):  # AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK
            alone = name in {"socket", "socketpair"}
            assert ask(machine, number, family, sockets=True) == (EPERM if alone else ALLOW)
    more = {n for n in range(1024) if ask(machine, n, 1, sockets=True) == ALLOW}
    assert more == {n for n in range(1024) if ask(machine, n, 1) == ALLOW} | set(numbers.values())


def test_threads_start_and_processes_only_where_the_box_may_have_them(machine):
    clone = TABLES[machine][1]["clone"]
    thread, child = 0x3D0F00, 0x1200011
    assert ask(machine, clone, thread) == ALLOW
    assert ask(machine, clone, child) == EPERM
    assert ask(machine, clone, child, processes=True) == ALLOW
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        assert ask(machine, clone, thread | flag, processes=True) == EPERM, hex(flag)


def test_terminals_are_not_typed_into_and_privileges_not_changed(machine):
    table = TABLES[machine][1]
    assert ask(machine, table["ioctl"], 0, 0x5401) == ALLOW
    assert ask(machine, table["ioctl"], 0, 0x5412) == EPERM, "TIOCSTI"
    assert ask(machine, table["prctl"], 15) == ALLOW
    assert ask(machine, table["prctl"], 22) == EPERM, "PR_SET_SECCOMP"


def test_calls_under_another_machine_s_numbers_kill_the_process(machine):
    assert verdict(allowlist(machine, processes=False, sockets=False), 0x40000003, 0) == KILL, (
        "the 32-bit x86 interface"
    )


def test_an_unlisted_machine_is_refused():
    with pytest.raises(LocalError):
        allowlist("riscv64", processes=False, sockets=False)


def test_the_numbers_are_the_kernel_s(machine):
    if not HEADERS[machine].exists():
        pytest.skip(f"{HEADERS[machine]}: the kernel's headers are not on this machine")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", HEADERS[machine].read_text()))
    found |= {"newfstatat": found.get("newfstatat", found.get("fstatat", ""))}
    for table in (TABLES[machine][1], SOCKETS[machine]):
        assert {name: int(found[name]) for name in table} == table
