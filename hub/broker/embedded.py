"""The built-in MQTT broker, run as a process of its own by broker.py; started as a script, it needs no package of ours.

It has no access rules, so its configuration only ever listens on 127.0.0.1: `rumqttd_configuration` refuses the rest.
"""

import logging
import sys
from typing import Final

LOOPBACK: Final = "127.0.0.1"
MAX_PAYLOAD_BYTES: Final = 20_480
MAX_INFLIGHT: Final = 1000
SEGMENT_BYTES: Final = 4 * 2**20
SEGMENTS: Final = 4


def rumqttd_configuration(host: str, port: int) -> str:
    """The broker's settings: one MQTT 5 listener and a log of at most 16 MB per filter, in memory.

    Raises: ValueError for any address but 127.0.0.1.
    """
    if host != LOOPBACK:
        raise ValueError(f"the built-in broker has no access rules and serves {LOOPBACK} only, not {host}")
    return f"""id = 0

[router]
id = 0
max_connections = 2000
max_outgoing_packet_count = 500
max_segment_size = {SEGMENT_BYTES}
max_segment_count = {SEGMENTS}

[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 30000
max_payload_size = {MAX_PAYLOAD_BYTES}
max_inflight_count = {MAX_INFLIGHT}
"""


def main() -> None:
    """Serve the configuration named on the command line until ended by a signal."""
    from iotcore import IotCoreBroker  # noqa: PLC0415 - only this child process carries the broker

    logging.basicConfig(level=logging.CRITICAL)
    IotCoreBroker(config_path=sys.argv[1]).run_forever()


if __name__ == "__main__":
    main()
