"""Writes every frame that this network namespace sees into a file until it is ended: `python wire_capture.py FILE`.

Needs root. The first line on standard output says that it has begun.
"""

import signal
import socket
import sys
from pathlib import Path

ALL_PROTOCOLS = 3
LARGEST_FRAME = 65_536


def frames_of(file: Path) -> bytes:
    """Everything that was captured so far."""
    return file.read_bytes()


def main() -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as wire,
        Path(sys.argv[1]).open("wb") as file,
    ):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        wire.settimeout(0.2)
        sys.stdout.write("capturing\n")
        sys.stdout.flush()
        while not stopped:
            try:
                file.write(wire.recv(LARGEST_FRAME))
                file.flush()
            except TimeoutError:
                continue


if __name__ == "__main__":
    main()
