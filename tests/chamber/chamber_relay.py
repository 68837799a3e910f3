"""A relay between one party and a chamber that keeps every byte of both directions, as sent and decrypted.

It has the TLS keys of both ends: each of them takes it for the other.
"""

import contextlib
import select
import socket
import ssl
import threading

BLOCK = 1 << 16


class _Leg:
    """One end of a connection: what came from it, on the wire and in the clear."""

    def __init__(self, sock, context, *, server):
        self.sock, self.raw, self.plain, self.pending = sock, bytearray(), bytearray(), b""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server)
        self.ready = False

    def receive(self):
        """Take what came; what it says in the clear, or None at its end."""
        part, said = self.sock.recv(BLOCK), bytearray()
        if not part:
            return None
        self.raw += part
        self.incoming.write(part)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            self.handshake()
            while found := self.tls.read(BLOCK):
                said += found
        self.plain += said
        return bytes(said)

    def handshake(self):
        if not self.ready:
            self.tls.do_handshake()
            self.ready = True

    def send(self, said):
        """Pass on what the other end said, once the handshake is over."""
        self.pending += said
        with contextlib.suppress(ssl.SSLWantReadError):
            self.handshake()
            while self.pending:
                self.pending = self.pending[self.tls.write(self.pending[:BLOCK]) :]
        if found := self.outgoing.read():
            self.sock.sendall(found)


class Relay(threading.Thread):
    """Stands between `party` and `chamber`, both as they are on disk, the chamber behind `port`.

    Attributes:
        port: Where it listens for the party.
        legs: Both ends of each connection, the party's first.
    """

    def __init__(self, party, chamber, port):
        super().__init__(daemon=True)
        self.behind, self.legs = port, []
        self.contexts = [_context(chamber, ssl.PROTOCOL_TLS_SERVER), _context(party, ssl.PROTOCOL_TLS_CLIENT)]
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.start()

    def run(self):
        with contextlib.suppress(OSError):  # closed: this is the end
            while True:
                near, _ = self.listening.accept()
                far = socket.create_connection(("127.0.0.1", self.behind))
                pair = [
                    _Leg(sock, context, server=server)
                    for sock, context, server in zip((near, far), self.contexts, (True, False), strict=True)
                ]
                self.legs.append(pair)
                threading.Thread(target=_pump, args=(pair,), daemon=True).start()

    def said(self, end):
        """What came from one end, 0 the party and 1 the chamber: on the wire, and in the clear."""
        legs = [pair[end] for pair in self.legs]
        return b"".join(one.raw for one in legs), b"".join(one.plain for one in legs)

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.join()


def _context(party, protocol):
    context = ssl.SSLContext(protocol)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    files = [party.folder / name for name in ("relay.pem", "relay.key")]
    for file, content in zip(files, (party.card.certificate.encode(), party.tls_key), strict=True):
        file.write_bytes(content)
    context.load_cert_chain(*files)
    return context


def _pump(pair):
    by_sock = {leg.sock: (leg, other) for leg, other in (pair, pair[::-1])}
    with contextlib.suppress(OSError), pair[0].sock, pair[1].sock:
        pair[1].send(b"")
        while True:
            for sock in select.select(list(by_sock), [], [])[0]:
                leg, other = by_sock[sock]
                if (said := leg.receive()) is None:
                    return
                leg.send(b"")
                other.send(said)
