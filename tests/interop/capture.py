"""Captures, written from what a proxy saw: each piece becomes a packet, with the headers it would have had."""

import struct

import wire

CLIENT, SERVER = 40000, 443
START = {"up": 1000, "down": 0xfffffff0}  # the server's numbers wrap around soon


class Tap(wire.Proxy):
    """A proxy that remembers every piece that passed, in order."""

    def __init__(self, port):
        self.pieces = []
        super().__init__(port, self._remember)

    def _remember(self, direction, position, data):
        self.pieces.append((direction, bytes(data)))
        return [data]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(direction, sequence, data=b"", flags=0x18, ip=4, link=1):
    """One packet: Ethernet (link 1), or the interface "any" (113), over IPv4 or IPv6."""
    up = direction == "up"
    ports = (CLIENT, SERVER) if up else (SERVER, CLIENT)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence & 0xffffffff, 0, 5 << 4, flags, 65535, 0, 0)
    size = len(tcp) + len(data)
    if ip == 4:
        ends = [b"\x0a\0\0\1", b"\x0a\0\0\2"]
        source, target = ends if up else reversed(ends)
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + size, 0, 0, 64, 6, 0, source, target)
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    else:
        ends = [b"\xfd" + b"\0" * 14 + b"\1", b"\xfd" + b"\0" * 14 + b"\2"]
        source, target = ends if up else reversed(ends)
        head = struct.pack(">IHBB16s16s", 6 << 28, size, 6, 64, source, target)
    kind = struct.pack(">H", 0x0800 if ip == 4 else 0x86dd)
    front = b"\2" * 12 + kind if link == 1 else b"\0" * 14 + kind
    return front + head + tcp + data


def packets(pieces, segment=1400, **how):
    """The packets of a whole connection: SYN, SYN and ACK, the pieces in segments, FIN both ways."""
    at = dict(START)
    result = [packet("up", at["up"] - 1, flags=0x02, **how),
              packet("down", at["down"] - 1, flags=0x12, **how)]
    for direction, data in pieces:
        for start in range(0, len(data), segment):
            part = data[start:start + segment]
            result.append(packet(direction, at[direction], part, **how))
            at[direction] += len(part)
    return result + [packet(direction, at[direction], flags=0x11, **how) for direction in at]


def write(path, frames, link=1, snap=65535):
    """A file in the format of libpcap; each packet a millisecond after the one before."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, snap, link))
        for number, frame in enumerate(frames):
            kept = frame[:snap]
            out.write(struct.pack("<IIII", 1700000000, number * 1000, len(kept), len(frame)) + kept)
    return path
