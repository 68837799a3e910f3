"""Room: the chamber. Whether the kernel could write what is in memory to a disk where others may read it.

Plaintext is in the memory of the chamber and its boxes and on a tmpfs; the kernel may swap all of it out.
Neither locked memory nor a tmpfs without swap reaches all three without privileges; decision 21 says so.
So the machine must keep swapped memory to itself, and `parley chamber serve` refuses to start where not.
"""

from pathlib import Path

from parley_attestation.errors import LocalError, Reason

# dm-crypt mappings as cryptsetup names them; CRYPT-VERITY and CRYPT-INTEGRITY hide nothing.
_ENCRYPTING = ("CRYPT-PLAIN-", "CRYPT-LUKS1-", "CRYPT-LUKS2-")
ABSENT, PRESENT = "absent", "present"  # as keys state it; encrypted swap counts as absent


def in_the_clear(root: Path = Path("/")) -> tuple[str, ...]:
    """The swap areas to which this process, its boxes and its tmpfs could be written in the clear.

    Args:
        root: Where the machine's /proc and /sys are.
    """
    if _kept_from_swap(root):
        return ()
    areas = (line.split() for line in (root / "proc/swaps").read_text().splitlines()[1:])
    return tuple(name for name, kind, *_ in areas if not _closed(root, name, kind))


def stated(root: Path = Path("/")) -> str:
    """Whether the machine has swap in the clear, as a run's keys state it."""
    return PRESENT if in_the_clear(root) else ABSENT


def check(*, accept: bool, root: Path = Path("/")) -> None:
    """Refuse a machine whose kernel could write plaintext to a disk in the clear.

    Args:
        accept: Take the risk; the keys of every run then state it, and so does every verdict.
        root: Where the machine's /proc and /sys are.

    Raises:
        LocalError: CONFIG, with the swap areas.
    """
    areas = in_the_clear(root)
    if areas and not accept:
        raise LocalError(
            Reason.CONFIG,
            f"what is opened here could be swapped out in the clear, to {', '.join(areas)}",
            hint="swapoff -a, swap on dm-crypt or zram, run the service with MemorySwapMax=0, or accept the "
            "risk with --accept-swap",
        )


def _kept_from_swap(root: Path) -> bool:
    """Whether a control group above this process, and so above its boxes, allows no swap at all."""
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        number, _, group = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        own = top / group.lstrip("/")
        if number == "0" and any(
            _said(place / "memory.swap.max") == "0"
            for place in (own, *own.parents)
            if place.is_relative_to(top)
        ):
            return True
    return False


def _closed(root: Path, name: str, kind: str) -> bool:
    """Whether nobody can read what is swapped to an area; what cannot be told is open."""
    return kind == "partition" and _device_closed(root / "sys/class/block" / Path(name).resolve().name)


def _device_closed(device: Path) -> bool:
    if not device.exists():
        return False
    if device.name.startswith("zram"):
        return _said(device / "backing_dev") in {"", "none"}  # without one, memory stays memory
    if _said(device / "dm/uuid").startswith(_ENCRYPTING):
        return True
    below = list((device / "slaves").glob("*"))
    return bool(below) and all(_device_closed(device.parent / one.name) for one in below)


def _said(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
