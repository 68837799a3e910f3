"""What can be seen of a chamber while it runs: processes, connections, swap space, answers to its clients."""

import contextlib
import threading
from pathlib import Path

import grpc
from parley_attestation.edge import transport
from parley_attestation.envelope import from_json


class Watcher(threading.Thread):
    """Reads what any process of this machine's user sees of others, and how much of a chamber is swapped out.

    Attributes:
        seen: Command lines and environments of all processes.
        swapped: Bytes in swap space of the chamber and everything below it, added up over all rounds.
        programs: Command lines of the processes of which `swapped` was read.
        sockets: Local and remote port of every connection of the chamber's; empty where that is not shown.
    """

    def __init__(self, chamber):
        super().__init__(daemon=True)
        self.chamber, self.stop = chamber, threading.Event()
        self.seen, self.programs, self.swapped, self.sockets = set(), set(), 0, set()

    def run(self):
        while not self.stop.is_set():
            for place in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ", "comm"):
                    with contextlib.suppress(OSError):
                        self.seen.add((place / name).read_bytes())
            for pid in below(self.chamber):
                with contextlib.suppress(OSError):
                    self.swapped += swapped(Path("/proc", str(pid)))
                    self.programs.add(Path("/proc", str(pid), "cmdline").read_bytes())
            with contextlib.suppress(OSError):
                self.sockets |= connections(self.chamber)
            self.stop.wait(0.02)

    def end(self):
        self.stop.set()
        self.join()
        return b"\0".join(self.seen)


def parents():
    """Every process, and its parent."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def below(chamber):
    """A process and all that descend from it."""
    tree = parents()

    def under(pid):
        return pid == chamber or (pid in tree and under(tree[pid]))

    return [pid for pid in tree if under(pid)]


def swapped(place):
    """Bytes of a process in swap space: its own memory, and shared memory that it maps where that is shown."""
    lines = (place / "status").read_text().splitlines()
    with contextlib.suppress(PermissionError):
        lines += (place / "smaps_rollup").read_text().splitlines()
    sizes = [line.split()[1] for line in lines if line.startswith(("VmSwap:", "Swap:"))]
    return 1024 * sum(map(int, sizes))


def connections(pid):
    """Local and remote port of each connection of a process."""
    links = [str(one.readlink()) for one in Path("/proc", str(pid), "fd").iterdir()]
    inodes = {link.removeprefix("socket:[")[:-1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split()
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    ports = {(row[1], row[2]) for row in rows if row[9] in inodes and row[3] != "0A"}
    return {tuple(int(end.rpartition(":")[2], 16) for end in pair) for pair in ports}


def in_swap(needles, table=Path("/proc/swaps")):
    """The needles that lie in a swap area that can be read."""
    found, longest = set(), max(map(len, needles))
    for line in table.read_text().splitlines()[1:]:
        with contextlib.suppress(OSError), Path(line.split()[0]).open("rb") as area:
            kept = b""
            while part := area.read(1 << 24):
                found |= {one for one in needles if one in kept + part}
                kept = part[-longest:]
    return found


class Wire(grpc.UnaryUnaryClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Every answer that the parties' clients got from the chamber, its statements and its metadata."""

    def __init__(self, monkeypatch):
        self.answers, self.got = [], []
        opened = transport.open_channel
        monkeypatch.setattr(
            transport, "open_channel", lambda *end: grpc.intercept_channel(opened(*end), self)
        )

    def intercept_unary_unary(self, continuation, details, request):
        call = continuation(details, request)
        answer = call.result()
        self.answers.append(answer.SerializeToString())
        for name in ("keys", "evidence", "receipt"):
            if said := getattr(answer, name, b""):
                self.got.append(from_json(said).payload)
        metadata = [*call.initial_metadata(), *call.trailing_metadata(), ("", call.details() or "")]
        self.got += [value.encode() if isinstance(value, str) else value for _, value in metadata]
        return call

    intercept_stream_unary = intercept_unary_unary
