"""One attacker: `python -m tests.benchmarks.attacks.flood KIND KEY HOME RATE SECONDS PORT [ROOT CERTIFICATE KEY]`.

It floods a broker, paced; with files over TLS. It says "begins" on its output when it begins, and ends by itself.
"""

import sys
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.benchmarks.attacks.agent_line import line_from
from tests.benchmarks.attacks.messages import flood_of
from tests.hub.sending_home import SendingHome


def main() -> None:
    kind, key, home_id, rate, seconds, *words = sys.argv[1:]
    home = SendingHome(home_id, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    messages = flood_of(kind, home, count=int(rate) * int(seconds))
    line = line_from(words)
    client = line.client(home.agent)
    client.connect("127.0.0.1", line.port)
    client.loop_start()
    print("begins", flush=True)
    began_s = time.monotonic()
    for number, (topic, sealed) in enumerate(messages):
        due_s = began_s + number / int(rate)
        if (wait_s := due_s - time.monotonic()) > 0:
            time.sleep(wait_s)
        client.publish(topic, sealed, qos=0)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
