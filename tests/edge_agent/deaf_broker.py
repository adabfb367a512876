"""A broker that greets, takes the subscription and then never reads another byte: its side of the line fills up."""

import asyncio
import socket
import threading

CONNACK = bytes([0x20, 3, 0, 0, 0])
GRANTED_QOS_1 = 1


class DeafBroker:
    """Serves one connection on a loopback port; `is_deaf` once it has stopped reading."""

    def __init__(self) -> None:
        self._server = socket.socket()
        # As small as the system allows; what is accepted has it too.
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen()
        self.port = int(self._server.getsockname()[1])
        self._line: socket.socket | None = None
        self.is_deaf = threading.Event()
        threading.Thread(target=self._serve, name="deaf-broker", daemon=True).start()

    def close(self) -> None:
        self._server.close()
        if self._line is not None:
            self._line.close()

    def _serve(self) -> None:
        self._line, _ = self._server.accept()
        self._packet(self._line)
        self._line.sendall(CONNACK)
        subscribe = self._packet(self._line)
        self._line.sendall(bytes([0x90, 4, *subscribe[:2], 0, GRANTED_QOS_1]))
        self.is_deaf.set()

    @staticmethod
    def _packet(line: socket.socket) -> bytes:
        """The body of one short packet."""
        _kind, length = line.recv(1), line.recv(1)[0]
        assert length < 128, "the greeting is longer than one length byte tells"
        body = b""
        while len(body) < length:
            body += line.recv(length - len(body))
        return body


def small_line(client, *_more: object) -> None:
    """Make the sender's side of a connection as small as the system allows: a paho `on_socket_open`."""
    client_socket = _more[-1]
    assert isinstance(client_socket, socket.socket)
    client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


async def heard(broker: DeafBroker) -> None:
    """Wait until the broker has stopped reading."""
    assert await asyncio.to_thread(broker.is_deaf.wait, 60), "the agent did not come to the broker"
