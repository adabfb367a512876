"""Listens at a broker as somebody who wants to hear others; ends at SIGTERM and says what it heard.

`python -m tests.journeys.listener CLIENT_ID FILTERS HOST PORT ROOT [CERTIFICATE KEY [TOPIC FILE]]`; FILTERS are
separated by spaces, and the bytes of FILE are sent to TOPIC once it listens. It prints one line of JSON when it is
connected and subscribed, or could not be, and one when it ends: the topics of what it heard, and how often it lost
the connection.
"""

import json
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

ANSWER_S = 10.0


def main() -> None:
    name, filters, host, port, root, *more = sys.argv[1:]
    identity, to_say = more[:2], more[2:]
    heard: list[str] = []
    lost: list[str] = []
    answers: list[bool] = []
    entered, answered, stopped = threading.Event(), threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    context = ssl.create_default_context(cafile=root)
    if identity:
        context.load_cert_chain(*identity)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(context)

    def connected(client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            entered.set()
            # Again after each loss of the connection: somebody who is thrown out and comes back still listens.
            for each in filters.split():
                client.subscribe(each, qos=1)

    def subscribed(_client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        answers.append(not reasons[0].is_failure)
        if len(answers) == len(filters.split()):
            answered.set()

    def disconnected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        lost.append(str(reason))

    client.on_connect, client.on_subscribe, client.on_disconnect = connected, subscribed, disconnected
    client.on_message = lambda _client, _data, message: heard.append(message.topic)
    try:
        client.connect(host, int(port))
        client.loop_start()
        if entered.wait(ANSWER_S):
            answered.wait(ANSWER_S)
            if to_say:
                client.publish(to_say[0], Path(to_say[1]).read_bytes(), qos=1)
    except OSError:
        pass
    _say(entered=entered.is_set(), answers=len(answers))
    stopped.wait(300)
    losses = len(lost)
    client.disconnect()
    client.loop_stop()
    _say(heard=heard, losses=losses)


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
