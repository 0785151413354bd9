#!/usr/bin/env python3
"""A peer written from docs/link.md: header, open, data with credit, fragments, keepalive, close. In clear.

usage: peer.py PORT
Dials, opens MEDIA (0x04), sends "ping N" and expects "pong N", sends one large message in fragments and expects it
back, asks with a keepalive and waits for the echo, closes the channel, closes the link. Prints OK.
"""
import socket
import struct
import sys

HEADER = struct.Struct("<IBIHB")  # size, type, seq_id, ch_id, flags
assert HEADER.size == 12
DATA, CONTROL, KEEPALIVE, CLOSE, ERROR = 1, 2, 3, 4, 5
FRAGMENTED = 4
MEDIA = 4
WINDOW = 1 << 20


class Peer:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(20)
        self.out, self.next_in = {}, {}
        self.credit = 0
        self.partial = b""
        self.echoes = []
        self.log = []

    def send(self, kind, channel, data, flags=0):
        sequence = self.out.get(channel, 0)
        self.out[channel] = sequence + 1
        self.sock.sendall(HEADER.pack(len(data), kind, sequence, channel, flags) + data)

    def read(self, count):
        out = b""
        while len(out) < count:
            piece = self.sock.recv(count - len(out))
            if not piece:
                raise EOFError("the link ended: " + repr(self.log))
            out += piece
        return out

    def packet(self):
        size, kind, sequence, channel, flags = HEADER.unpack(self.read(12))
        assert sequence == self.next_in.get(channel, 0), (sequence, channel)
        self.next_in[channel] = sequence + 1
        return kind, channel, flags, self.read(size)

    def step(self):
        """Takes one packet; gives a whole message on MEDIA, or None."""
        kind, channel, flags, data = self.packet()
        self.log.append((kind, channel, len(data)))
        if kind == CONTROL:
            operation, target = struct.unpack_from("<BH", data)
            if operation in (2, 3) and target == MEDIA:
                self.credit += struct.unpack_from("<I", data, 3)[0]
        elif kind == KEEPALIVE:
            if data[0] == 0:
                self.send(KEEPALIVE, 0, b"\x01" + data[1:])
            else:
                self.echoes.append(struct.unpack_from("<Q", data, 1)[0])
        elif kind == ERROR:
            raise RuntimeError(data[4:].decode())
        elif kind == CLOSE:
            self.closed = channel
        elif kind == DATA and channel == MEDIA:
            self.send(CONTROL, 0, struct.pack("<BHI", 3, MEDIA, len(data) + 64))
            if not flags & FRAGMENTED:
                assert flags == 0
                return data
            total, offset = struct.unpack_from("<II", data)
            assert offset == len(self.partial)
            self.partial += data[8:]
            if len(self.partial) == total:
                whole, self.partial = self.partial, b""
                return whole
        return None

    def data(self, data, flags=0):
        while self.credit < len(data) + 64:
            self.step()
        self.credit -= len(data) + 64
        self.send(DATA, MEDIA, data, flags)

    def message(self):
        while True:
            message = self.step()
            if message is not None:
                return message


def main():
    peer = Peer(int(sys.argv[1]))
    peer.send(CONTROL, 0, struct.pack("<BHBBI", 1, MEDIA, MEDIA, 0, WINDOW))
    while peer.credit == 0:
        peer.step()
    for number in range(10):
        peer.data(b"ping %d" % number)
        assert peer.message() == b"pong %d" % number
    # Noise, so that it is not compressed on its way back.
    large = __import__("random").Random(1).randbytes(300_000)
    for offset in range(0, len(large), 9000):
        piece = large[offset : offset + 9000]
        peer.data(struct.pack("<II", len(large), offset) + piece, FRAGMENTED)
    assert peer.message() == large
    peer.send(KEEPALIVE, 0, struct.pack("<BQ", 0, 0x1122334455667788))
    while not peer.echoes:
        peer.step()
    assert peer.echoes == [0x1122334455667788]
    peer.closed = None
    peer.send(CLOSE, MEDIA, struct.pack("<I", 0) + b"enough")
    while peer.closed != MEDIA:
        peer.step()
    peer.send(CLOSE, 0, struct.pack("<I", 0) + b"bye")
    print("OK")


main()
