"""Sends traces to an OpenTelemetry collector, if hub.toml names one: a span for each request, group and job.

A span has the ids and facts of its line in the trail: nothing of a home, and of an error only its kind.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from hub.folder.watching.trace_settings import TraceSettings
from hub.health.trail import Work, use_spans
from protocols.errors import SettingsError

log = logging.getLogger(__name__)

WITHIN_S: Final = 5.0


def start_traces(traces: TraceSettings | None, *, part: str, version: str) -> Callable[[], None]:
    """Send traces from now on; returns what sends the last of them and ends it. Raises: SettingsError."""
    if traces is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"hub.toml: [traces] needs the package {missing.name}: install commonwatt with its extra 'otel',"
            " or leave the table out"
        ) from None
    # A collector that is away is said once: its lines would fill the log, and nothing of the hub depends on it.
    library = logging.getLogger("opentelemetry")
    library.handlers, library.propagate = [_OneLine(traces.endpoint)], False
    resource = Resource({"service.name": "commonwatt-hub", "service.version": version, "commonwatt.part": part})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{traces.endpoint}/v1/traces", timeout=WITHIN_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=WITHIN_S * 1000))
    tracer = provider.get_tracer("commonwatt", version)

    @contextmanager
    def open_span(what: str, ids: Mapping[str, str], work: Work) -> Iterator[None]:
        named = {f"commonwatt.{name}": value for name, value in ids.items()}
        with tracer.start_as_current_span(
            what, attributes=named, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                for name, value in work.facts.items():
                    span.set_attribute(f"commonwatt.{name}", value)

    end = use_spans(open_span)

    def stop() -> None:
        end()
        provider.shutdown()

    return stop


class _OneLine(logging.Handler):
    """Says the library's first warning in our words, and none after it."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(logging.WARNING)
        self._endpoint, self._is_said = endpoint, False

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, once."""
        if not self._is_said:
            self._is_said = True
            log.warning("traces cannot be sent to %s; trying on, and saying no more of it", self._endpoint)
