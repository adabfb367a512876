"""One attacker: `python -m tests.benchmarks.attacks.flood KIND PORT KEY HOME RATE SECONDS` floods a broker, paced.

It says "begins" on its output when it begins, and ends by itself.
"""

import sys
import time

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.benchmarks.attacks.messages import flood_of
from tests.hub.sending_home import SendingHome


def main() -> None:
    kind, port, key, home_id, rate, seconds = sys.argv[1:]
    home = SendingHome(home_id, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    messages = flood_of(kind, home, count=int(rate) * int(seconds))
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=home.agent, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", int(port))
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
