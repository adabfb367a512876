"""Weather answers are brought to hour starts and plain units, and anything odd is refused in one line."""

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from hub.forecasts.weather import WeatherError, WeatherSource, fetch_weather, parse_hours


def answer(**changes: object) -> dict[str, object]:
    hourly = {
        "time": ["2026-06-16T10:00", "2026-06-16T11:00", "2026-06-16T12:00"],
        "temperature_2m": [10.0, 12.0, 14.0],
        "shortwave_radiation": [100.0, 200.0, 300.0],
        "wind_speed_10m": [36.0, 18.0, 18.0],
    }
    whole: dict[str, object] = {"utc_offset_seconds": 0, "hourly_units": {"wind_speed_10m": "km/h"}, "hourly": hourly}
    for name, value in changes.items():
        if name in hourly:
            hourly[name] = value  # type: ignore[assignment]
        else:
            whole[name] = value
    return whole


def encoded(**changes: object) -> bytes:
    return json.dumps(answer(**changes)).encode()


def test_radiation_belongs_to_the_hour_before_the_printed_time_and_wind_is_metres_a_second() -> None:
    ten = int(datetime(2026, 6, 16, 10, tzinfo=UTC).timestamp())
    assert parse_hours(encoded()) == ((ten, 11.0, 200.0, 7.5), (ten + 3600, 13.0, 300.0, 5.0))


def test_local_times_are_brought_to_utc() -> None:
    ten = int(datetime(2026, 6, 16, 10, tzinfo=UTC).timestamp())
    assert parse_hours(encoded(utc_offset_seconds=7200))[0][0] == ten - 7200


def test_an_hour_with_a_null_is_left_out() -> None:
    assert len(parse_hours(encoded(shortwave_radiation=[1.0, None, 3.0]))) == 1


def test_sun_and_wind_are_never_negative() -> None:
    dark = parse_hours(encoded(shortwave_radiation=[-3.0, -2.0, 5.0], wind_speed_10m=[-36.0, -36.0, 0.0]))
    assert [row[2:] for row in dark] == [(0.0, 0.0), (5.0, 0.0)]


@pytest.mark.parametrize("key", ["time", "temperature_2m", "shortwave_radiation", "wind_speed_10m"])
def test_a_missing_or_short_column_is_named(key: str) -> None:
    whole = answer()
    del whole["hourly"][key]  # type: ignore[attr-defined]
    for text in (json.dumps(whole).encode(), encoded(**{key: []}), encoded(**{key: 7})):
        with pytest.raises(WeatherError, match=key):
            parse_hours(text)


def test_other_keys_of_the_service_are_ignored() -> None:
    units = {"time": "iso8601", "wind_speed_10m": "km/h"}
    assert parse_hours(encoded(elevation=520.0, hourly_units=units)) == parse_hours(encoded())


@pytest.mark.parametrize(
    "text",
    [
        b"not json",
        b"[]",
        b'{"hourly": []}',
        b"[" * 100_000,
        encoded(time=["2026-06-16T10:00", "2026-06-16T10:15", "2026-06-16T10:30"]),
        encoded(time=["yesterday", "today", "tomorrow"]),
        encoded(temperature_2m=[1.0]),
        encoded(temperature_2m=[1.0, 2.0]),
        encoded(temperature_2m=[1.0, "warm", 2.0]),
        encoded(temperature_2m=[1.0, True, 2.0]),
        encoded(temperature_2m=[1.0, float("inf"), 2.0]),
        encoded(hourly_units={"wind_speed_10m": "furlong/fortnight"}),
        encoded(shortwave_radiation=[None, None, None]),
    ],
)
def test_anything_odd_is_one_line_naming_what_is_wrong(text: bytes) -> None:
    with pytest.raises(WeatherError) as caught:
        parse_hours(text)
    assert str(caught.value).startswith("weather: ")
    assert "\n" not in str(caught.value)


@contextmanager
def weather_server(status: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/forecast"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(url: str) -> object:
    return asyncio.run(fetch_weather(WeatherSource(url, 48.1, 11.6, timeout_s=5), past_days=1))


def test_a_real_answer_comes_through() -> None:
    with weather_server(200, encoded()) as url:
        assert len(fetch(url)) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "body", "words"), [(429, b"", "answered 429"), (200, b"x" * (5 << 20), "over")])
def test_a_refusal_or_a_flood_is_one_line(status: int, body: bytes, words: str) -> None:
    with weather_server(status, body) as url, pytest.raises(WeatherError, match=words):
        fetch(url)


def test_nobody_there_and_no_address_are_one_line_each() -> None:
    with weather_server(200, b"") as url:
        gone = url
    with pytest.raises(WeatherError, match=r"^weather: the service cannot be reached: Connection refused$"):
        fetch(gone)
    with pytest.raises(WeatherError, match="must begin with http"):
        fetch("file:///etc/hostname")


@pytest.mark.parametrize("text", [b"not json", b'{"hourly": {"time": ["2026-01-01T00:00\xff"]}}', b"[" * 10**5])
def test_what_is_not_json_is_one_line(text: bytes) -> None:
    with pytest.raises(
        WeatherError, match=r"^weather: the answer (is not JSON|does not have the expected form)"
    ) as found:
        parse_hours(text)
    assert "\n" not in str(found.value)
