"""What a killed chamber left goes, and what a living one works on stays."""

import os

from parley_chamber import plaintext


def test_the_folder_of_a_chamber_with_the_same_process_number_goes_once_that_chamber_is_dead(tmp_path):
    """In a container the next chamber has the number of the killed one."""
    with plaintext.plaintext() as folder:
        mine = tmp_path / folder.name
        assert folder.is_dir()
    number, started, _ = mine.name.removeprefix("parley-chamber-").split("-")
    assert number == str(os.getpid())
    killed = tmp_path / f"parley-chamber-{number}-{int(started) - 1}-abcdefgh"
    gone = tmp_path / f"parley-chamber-{1 << 30}-{started}-abcdefgh"
    without_start = tmp_path / f"parley-chamber-{number}-abcdefgh"
    for one in (mine, killed, gone, without_start):
        one.mkdir()
        (one / "tests").write_bytes(b"a prompt")
    (tmp_path / "parley-chamber-").symlink_to(tmp_path / "nowhere")
    plaintext.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(
        [mine.name, without_start.name]
    )
