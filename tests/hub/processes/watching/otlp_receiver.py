"""A collector on loopback: it takes what an OTLP exporter posts, and decodes it by OpenTelemetry's own forms."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What came: for each span its part of the hub, its name, its attributes and its status."""

    def __init__(self) -> None:
        self.address = ""
        self._spans: list[tuple[str, str, dict[str, Any], str]] = []
        self._lock = threading.Lock()

    def spans(self, part: str | None = None) -> list[tuple[str, dict[str, Any], str]]:
        with self._lock:
            return [(name, facts, status) for of, name, facts, status in self._spans if part in (None, of)]

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for resource in request.resource_spans:
                of = _values(resource.resource.attributes)["commonwatt.part"]
                for scope in resource.scope_spans:
                    self._spans += [
                        (of, span.name, _values(span.attributes), span.status.message) for span in scope.spans
                    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens inside the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(self.path, gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
