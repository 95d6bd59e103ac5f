"""A trap for network traffic: a network namespace in which every DNS query is answered.

`unshare --map-root-user --net --mount python tests/trap.py COMMAND …` runs the command and prints as JSON
every name that was looked up and every address that a packet went to, whatever library sent it.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

OWN = "127.0.0.1"
ETHERNET = 14
ANYWHERE = bytes((203, 0, 113, 7))
"""Answer to every DNS query: an address reserved for documentation (RFC 5737)."""


def prepare() -> None:
    """Route every packet to this machine, and every DNS query to this process."""
    for command in ("link set lo up", "route add default dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(f"nameserver {OWN}\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)


def resolve(port: socket.socket, names: set[str]) -> None:
    """Answer DNS queries, recording the names (RFC 1035)."""
    while True:
        query, sender = port.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
            at += 1 + query[at]
        names.add(".".join(labels))
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        answer = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 60, 4) + ANYWHERE if kind == 1 else b""
        head = query[:2] + b"\x81\x80\0\1" + struct.pack(">H", bool(answer)) + bytes(4)
        port.sendto(head + query[12 : at + 5] + answer, sender)


def listen(packets: socket.socket, addresses: set[str]) -> None:
    """Record the destinations of packets."""
    while True:
        frame = packets.recv(65_536)[ETHERNET:]
        if frame[0] >> 4 == 4:
            addresses.add(socket.inet_ntop(socket.AF_INET, frame[16:20]))
        elif frame[0] >> 4 == 6:
            addresses.add(socket.inet_ntop(socket.AF_INET6, frame[24:40]))


def main() -> None:
    prepare()
    names, addresses = set[str](), set[str]()
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.bind((OWN, 53))
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    threading.Thread(target=resolve, args=(port, names), daemon=True).start()
    threading.Thread(target=listen, args=(packets, addresses), daemon=True).start()
    done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=False)
    told = {"status": done.returncode, "output": (done.stdout + done.stderr)[-5000:]}
    print(json.dumps({**told, "names": sorted(names), "addresses": sorted(addresses - {OWN, "::1"})}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
