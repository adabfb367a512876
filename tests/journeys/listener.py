"""Listens at a broker as somebody who wants to hear others; ends at SIGTERM and says what it heard.

`python -m tests.journeys.listener CLIENT_ID FILTERS HOST PORT ROOT [CERTIFICATE KEY]`; FILTERS are separated by spaces.
It prints one line of JSON when it is connected and subscribed, or could not be, and one when it ends.
"""

import json
import signal
import ssl
import sys
import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

ANSWER_S = 10.0


def main() -> None:
    name, filters, host, port, root, *identity = sys.argv[1:]
    heard: list[str] = []
    answers: list[bool] = []
    entered, answered, stopped = threading.Event(), threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    context = ssl.create_default_context(cafile=root)
    if identity:
        context.load_cert_chain(*identity)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(context)

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            entered.set()

    def subscribed(_client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        answers.append(not reasons[0].is_failure)
        if len(answers) == len(filters.split()):
            answered.set()

    client.on_connect, client.on_subscribe = connected, subscribed
    client.on_message = lambda _client, _data, message: heard.append(message.topic)
    try:
        client.connect(host, int(port))
        client.loop_start()
        if entered.wait(ANSWER_S):
            for each in filters.split():
                client.subscribe(each, qos=1)
            answered.wait(ANSWER_S)
    except OSError:
        pass
    _say(entered=entered.is_set(), answers=len(answers))
    stopped.wait(300)
    client.disconnect()
    client.loop_stop()
    _say(heard=heard)


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
