"""Swap space: a chamber refuses a machine that could write memory to a disk in the clear."""

import pytest
from parley_attestation.errors import LocalError, Reason
from parley_chamber import swap

HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
LUKS, PLAIN = "CRYPT-LUKS2-0123456789abcdef-swap", "CRYPT-PLAIN-swap"


class Machine:
    """A made-up /proc and /sys; its process is in the control group /system.slice/chamber.service."""

    def __init__(self, root, *areas):
        self.root = root
        self.write("proc/swaps", HEAD + "".join(f"{name} {kind} 1048576 0 -2\n" for name, kind in areas))
        self.write("proc/self/cgroup", "4:memory:/process\n0::/system.slice/chamber.service\n")

    def write(self, name, content):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(content)
        return self

    def device(self, name, *, uuid="", backing=None, on=()):
        place = f"sys/class/block/{name}"
        (self.root / place / "slaves").mkdir(parents=True)
        if uuid:
            self.write(f"{place}/dm/uuid", uuid + "\n")
        if backing is not None:
            self.write(f"{place}/backing_dev", backing + "\n")
        for one in on:
            (self.root / place / "slaves" / one).mkdir()
        return self


def partition(name):
    return name, "partition"


def test_a_machine_without_swap_is_taken_and_said_to_have_none(tmp_path):
    Machine(tmp_path)
    swap.check(accept=False, root=tmp_path)
    assert swap.stated(tmp_path) == "absent"


def test_swap_in_the_clear_is_refused_with_its_areas_and_what_to_do(tmp_path):
    Machine(tmp_path, partition("/dev/sda2"), ("/swap\\040file", "file")).device("sda2")
    with pytest.raises(LocalError) as caught:
        swap.check(accept=False, root=tmp_path)
    assert caught.value.reason is Reason.CONFIG
    assert "to /dev/sda2, /swap\\040file" in caught.value.message
    for way_out in ("swapoff", "dm-crypt", "zram", "MemorySwapMax=0", "--accept-swap"):
        assert way_out in caught.value.hint


def test_swap_in_the_clear_that_is_accepted_is_stated(tmp_path):
    Machine(tmp_path, partition("/dev/sda2")).device("sda2")
    swap.check(accept=True, root=tmp_path)
    assert swap.stated(tmp_path) == "present"


CLOSED = {
    "plain dm-crypt": lambda m: m.device("dm-0", uuid=PLAIN),
    "luks": lambda m: m.device("dm-0", uuid=LUKS),
    "a volume on luks": lambda m: m.device("dm-0", uuid="LVM-x", on=["dm-1"]).device("dm-1", uuid=LUKS),
}
OPEN = {
    "a volume on a disk": lambda m: m.device("dm-0", uuid="LVM-x", on=["sda2"]).device("sda2"),
    "a volume over luks and a disk": lambda m: (
        m.device("dm-0", uuid="LVM-x", on=["dm-1", "sda2"]).device("dm-1", uuid=LUKS).device("sda2")
    ),
    "integrity alone": lambda m: m.device("dm-0", uuid="CRYPT-INTEGRITY-x"),
    "verity alone": lambda m: m.device("dm-0", uuid="CRYPT-VERITY-x"),
    "a device that is not there": lambda m: m,
}


@pytest.mark.parametrize("name", CLOSED)
def test_encrypted_swap_counts_as_none(tmp_path, name):
    CLOSED[name](Machine(tmp_path, partition("/dev/dm-0")))
    swap.check(accept=False, root=tmp_path)
    assert swap.stated(tmp_path) == "absent"


@pytest.mark.parametrize("name", OPEN)
def test_what_encrypts_nothing_or_cannot_be_told_is_refused(tmp_path, name):
    OPEN[name](Machine(tmp_path, partition("/dev/dm-0")))
    assert swap.in_the_clear(tmp_path) == ("/dev/dm-0",)


@pytest.mark.parametrize(("backing", "found"), [(None, ()), ("none", ()), ("/dev/sda3", ("/dev/zram0",))])
def test_compressed_memory_is_memory_unless_a_disk_stands_behind_it(tmp_path, backing, found):
    Machine(tmp_path, partition("/dev/zram0")).device("zram0", backing=backing)
    assert swap.in_the_clear(tmp_path) == found


def test_one_area_in_the_clear_beside_encrypted_ones_is_enough(tmp_path):
    Machine(tmp_path, partition("/dev/dm-0"), partition("/dev/sda2")).device("dm-0", uuid=LUKS).device("sda2")
    assert swap.in_the_clear(tmp_path) == ("/dev/sda2",)


@pytest.mark.parametrize(
    ("group", "limit", "found"),
    [
        ("system.slice/chamber.service", "0", ()),
        ("system.slice", "0", ()),
        ("system.slice", "max", ("/dev/sda2",)),
        ("process", "0", ("/dev/sda2",)),  # another group's limit
    ],
)
def test_a_control_group_without_swap_keeps_the_chamber_and_its_boxes_out_of_it(
    tmp_path, group, limit, found
):
    machine = Machine(tmp_path, partition("/dev/sda2")).device("sda2")
    machine.write(f"sys/fs/cgroup/{group}/memory.swap.max", limit + "\n")
    assert swap.in_the_clear(tmp_path) == found


def test_this_machine_can_be_told():
    assert swap.stated() in {"absent", "present"}


def test_a_swap_file_named_like_an_encrypted_device_is_still_a_file(tmp_path):
    Machine(tmp_path, ("/srv/dm-0", "file")).device("dm-0", uuid=LUKS)
    assert swap.in_the_clear(tmp_path) == ("/srv/dm-0",)
