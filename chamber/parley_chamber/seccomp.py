"""Room: the chamber. The system-call filter of a box, as classic BPF bytes for bubblewrap; pure.

It is a list of what is allowed. Everything else answers ENOSYS, as if the kernel were older: sockets,
new namespaces, mounts, ptrace, io_uring, keys, System V and POSIX queues do not exist in a box. A box
with one process may start threads and no process; a box with sockets has local ones (AF_UNIX) and no others.
"""

import struct

from parley_attestation.errors import LocalError, Reason

_LOAD, _EQUAL, _SET, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ, BPF_JMP|JSET, BPF_RET
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24  # offsets in struct seccomp_data, low words, little-endian
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag
_THREAD = 0x10000  # CLONE_THREAD
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIO[N]CLEX
_PRCTLS = (15, 16)  # PR_SET_NAME, PR_GET_NAME

# fmt: off
# Numbers from the kernel's unistd_64.h and, for aarch64, its asm-generic/unistd.h.
_X86_64 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
    "rt_sigreturn": 15, "ioctl": 16, "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "access": 21,
    "pipe": 22, "select": 23, "sched_yield": 24, "mremap": 25, "msync": 26, "mincore": 27, "madvise": 28,
    "dup": 32, "dup2": 33, "pause": 34, "nanosleep": 35, "alarm": 37, "getpid": 39, "sendfile": 40,
    "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "exit": 60, "wait4": 61, "kill": 62, "uname": 63,
    "fcntl": 72, "flock": 73, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "getcwd": 79, "chdir": 80,
    "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "unlink": 87, "readlink": 89, "umask": 95,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102,
    "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110, "getpgrp": 111, "getresuid": 118,
    "getresgid": 120, "sigaltstack": 131, "statfs": 137, "fstatfs": 138, "sched_getparam": 143,
    "sched_getscheduler": 145, "sched_get_priority_max": 146, "sched_get_priority_min": 147, "prctl": 157,
    "arch_prctl": 158, "setrlimit": 160, "gettid": 186, "time": 201, "futex": 202, "sched_setaffinity": 203,
    "sched_getaffinity": 204, "getdents64": 217, "set_tid_address": 218, "restart_syscall": 219,
    "fadvise64": 221, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
    "tgkill": 234, "openat": 257, "mkdirat": 258, "newfstatat": 262, "unlinkat": 263, "renameat": 264,
    "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273,
    "get_robust_list": 274, "eventfd2": 290, "epoll_create1": 291, "dup3": 292, "pipe2": 293, "preadv": 295,
    "pwritev": 296, "prlimit64": 302, "getcpu": 309, "getrandom": 318, "membarrier": 324, "statx": 332,
    "rseq": 334, "close_range": 436, "faccessat2": 439,
}
_AARCH64 = {
    "getcwd": 17, "eventfd2": 19, "epoll_create1": 20, "dup": 23, "dup3": 24, "fcntl": 25, "ioctl": 29,
    "flock": 32, "mkdirat": 34, "unlinkat": 35, "renameat": 38, "statfs": 43, "fstatfs": 44, "ftruncate": 46,
    "faccessat": 48, "chdir": 49, "fchdir": 50, "openat": 56, "close": 57, "pipe2": 59, "getdents64": 61,
    "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68,
    "preadv": 69, "pwritev": 70, "sendfile": 71, "pselect6": 72, "ppoll": 73, "readlinkat": 78,
    "newfstatat": 79, "fstat": 80, "fsync": 82, "fdatasync": 83, "exit": 93, "exit_group": 94,
    "set_tid_address": 96, "futex": 98, "set_robust_list": 99, "get_robust_list": 100, "nanosleep": 101,
    "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_getscheduler": 120,
    "sched_getparam": 121, "sched_setaffinity": 122, "sched_getaffinity": 123, "sched_yield": 124,
    "sched_get_priority_max": 125, "sched_get_priority_min": 126, "restart_syscall": 128, "kill": 129,
    "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
    "getresuid": 148, "getresgid": 150, "times": 153, "uname": 160, "getrlimit": 163, "setrlimit": 164,
    "getrusage": 165, "umask": 166, "prctl": 167, "getcpu": 168, "gettimeofday": 169, "getpid": 172,
    "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178,
    "sysinfo": 179, "brk": 214, "munmap": 215, "mremap": 216, "clone": 220, "execve": 221, "mmap": 222,
    "fadvise64": 223, "mprotect": 226, "msync": 227, "mincore": 232, "madvise": 233, "wait4": 260,
    "prlimit64": 261, "getrandom": 278, "membarrier": 283, "statx": 291, "rseq": 293, "close_range": 436,
    "faccessat2": 439,
}
# Of a box with sockets; `socket` and `socketpair` for one family alone.
_X86_64_SOCKETS = {
    "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47,
    "shutdown": 48, "bind": 49, "listen": 50, "getsockname": 51, "getpeername": 52, "socketpair": 53,
    "setsockopt": 54, "getsockopt": 55, "accept4": 288,
}
_AARCH64_SOCKETS = {
    "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203,
    "getsockname": 204, "getpeername": 205, "sendto": 206, "recvfrom": 207, "setsockopt": 208,
    "getsockopt": 209, "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "accept4": 242,
}
# fmt: on
_UNIX = (1,)  # AF_UNIX

# Machine name -> (AUDIT_ARCH_* of linux/audit.h, table).
TABLES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
SOCKETS = {"x86_64": _X86_64_SOCKETS, "aarch64": _AARCH64_SOCKETS}


def allowlist(machine: str, *, processes: bool, sockets: bool) -> bytes:
    """The filter for boxes on `machine` (as `os.uname().machine`), with or without child processes and sockets.

    Raises:
        LocalError: CONFIG, for a machine whose system calls are not listed here.
    """
    if machine not in TABLES:
        raise LocalError(Reason.CONFIG, f"boxes run on {' and '.join(TABLES)}, not on {machine}")
    arch, table = TABLES[machine]
    code = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    local = SOCKETS[machine] if sockets else {}
    for name in ("socket", "socketpair") if sockets else ():
        code += _arguments(local[name], _ARG0, _UNIX)
    for name, number in (table | local).items():
        if name in {"clone", "ioctl", "prctl", "socket", "socketpair"} or (
            name in {"fork", "vfork"} and not processes
        ):
            continue
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    code += _clone(table["clone"], processes=processes)
    code += _arguments(table["ioctl"], _ARG1, _IOCTLS) + _arguments(table["prctl"], _ARG0, _PRCTLS)
    code += [(_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    return b"".join(struct.pack("<HBBI", *one) for one in code)


def _clone(number: int, *, processes: bool) -> list[tuple[int, int, int, int]]:
    """Threads, or processes too; no new namespaces. `clone3` hides its flags: it is ENOSYS."""
    return [
        (_EQUAL, 0, 5, number),
        (_LOAD, 0, 0, _ARG0),
        (_SET, 2, 0, _NEW_NAMESPACES),
        (_SET, 0, 1, 0xFFFFFFFF if processes else _THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
    ]


def _arguments(number: int, offset: int, allowed: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Allow one call with the given values of one argument."""
    code = [(_LOAD, 0, 0, offset)]
    for value in allowed:
        code += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    code += [(_RETURN, 0, 0, _ERRNO | _EPERM)]
    return [(_EQUAL, 0, len(code), number), *code]
