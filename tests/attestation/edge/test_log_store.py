import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from log_kit import LOG_KEY, NAME, PUBLIC, entry, grow
from parley_attestation.edge.log_store import FolderStore, FsspecStore, HttpReader, open_store
from parley_attestation.edge.log_writer import init_log, open_log
from parley_attestation.errors import LocalError, Reason
from parley_attestation.log.checkpoint import open_checkpoint
from parley_attestation.log.tiles import TileTree


def refused(reason):
    return pytest.raises(LocalError, check=lambda e: e.reason is reason)


@pytest.fixture(params=["folder", "fsspec"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path / "log")
    return FsspecStore(f"memory://{tmp_path.name}/log")


def test_a_log_lives_in_any_store(store):
    raw = grow(store, (entry(n) for n in range(300)))
    raw = grow(store, [entry(300)])
    found, _ = open_checkpoint(raw, PUBLIC)
    assert found.size == 301
    assert list(TileTree(store.read, 301).entries(299)) == [entry(299), entry(300)]


def test_a_file_is_replaced_whole_and_a_missing_one_is_nothing(store):
    assert store.read("a/b") is None
    store.write("a/b", b"one")
    store.write("a/b", b"two")
    assert store.read("a/b") == b"two"
    store.drop("a")
    assert store.read("a/b") is None
    store.drop("a")
    store.write("a/b", b"three")
    assert store.read("a/b") == b"three"


def test_no_temporary_file_stays_behind(tmp_path):
    grow(FolderStore(tmp_path / "log"), [entry(1)])
    assert not list((tmp_path / "log").rglob("*.tmp"))


def test_partial_tiles_go_once_the_full_tile_is_there(tmp_path):
    store = FolderStore(tmp_path / "log")
    grow(store, (entry(n) for n in range(200)), batch=50)
    assert (tmp_path / "log/tile/0/000.p/50").exists()
    grow(store, (entry(n) for n in range(200, 256)))
    assert not (tmp_path / "log/tile/0/000.p").exists()
    assert not (tmp_path / "log/tile/entries/000.p").exists()
    assert (tmp_path / "log/tile/1/000.p/1").exists()


def test_a_second_writer_is_kept_out(tmp_path):
    store = FolderStore(tmp_path / "log")
    init_log(store, LOG_KEY, NAME)
    with open_log(store, LOG_KEY, NAME), refused(Reason.CONFIG), open_log(store, LOG_KEY, NAME):
        pass


def test_a_store_that_cannot_be_written_is_our_own_fault(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with refused(Reason.UNREACHABLE):
        FolderStore(tmp_path).write("file/x", b"")
    assert FolderStore(tmp_path).read("file/x") is None


def test_a_place_with_a_scheme_is_an_fsspec_store(tmp_path):
    assert isinstance(open_store("memory://x"), FsspecStore)
    assert isinstance(open_store(str(tmp_path)), FolderStore)
    with refused(Reason.CONFIG):
        open_store("nosuchscheme://x")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with refused(Reason.MISSING_EXTRA):
        open_store("memory://x")


def test_a_log_served_by_any_web_server_can_be_followed(tmp_path):
    raw = grow(FolderStore(tmp_path), (entry(n) for n in range(300)))

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            reader = HttpReader(f"http://127.0.0.1:{server.server_port}/")
            assert reader.read("checkpoint") == raw
            assert reader.read("nothing") is None
            assert len(list(TileTree(reader.read, 300).entries())) == 300
        finally:
            server.shutdown()
            thread.join()
    with refused(Reason.UNREACHABLE):
        HttpReader(f"http://127.0.0.1:{server.server_port}").read("checkpoint")
    with refused(Reason.CONFIG):
        HttpReader("file:///etc")
