"""The weather service keeps Open-Meteo's shape, is wrong as much as real forecasts are, and refuses nonsense."""

import asyncio
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime

import numpy as np
import pytest

from hub.forecasts.weather import parse_hours
from simulator.services.loopback_http import LoopbackServer
from simulator.services.weather_service import RADIATION_SD, TEMPERATURE_SD_C, WIND_SD_M_S, ForecastService
from simulator.world.site import Site
from simulator.world.weather import Weather

NOW_S = 20615 * 86400 + 10 * 3600 + 250
ALL = "temperature_2m,shortwave_radiation,wind_speed_10m"
ASKED = {"latitude": "48.1", "longitude": "7.7", "hourly": ALL, "wind_speed_unit": "ms"}


@pytest.fixture(scope="module")
def service() -> ForecastService:
    return ForecastService(Weather(3, Site()), lambda: NOW_S)


def test_shape_is_that_of_open_meteo(service: ForecastService) -> None:
    answer = service.answer({**ASKED, "past_days": "1", "forecast_days": "2"})
    content = answer.content
    assert answer.status == 200
    assert isinstance(content, dict)
    assert content["hourly_units"] == {
        "time": "iso8601",
        "temperature_2m": "°C",
        "shortwave_radiation": "W/m²",
        "wind_speed_10m": "m/s",
    }
    assert content["issued"] == "2026-06-11T10:00Z"
    assert content["utc_offset_seconds"] == 0
    hourly = content["hourly"]
    assert hourly["time"][0] == "2026-06-10T00:00"
    assert {len(values) for values in hourly.values()} == {72}


def test_local_time_unix_time_and_wind_units(service: ForecastService) -> None:
    utc = service.answer({**ASKED, "forecast_days": "2", "timeformat": "unixtime"}).content
    local = service.answer({**ASKED, "forecast_days": "2", "timezone": "Europe/Berlin", "wind_speed_unit": "kmh"})
    content = local.content
    assert isinstance(content, dict)
    assert isinstance(utc, dict)
    assert content["utc_offset_seconds"] == 7200
    assert content["hourly"]["time"][0] == "2026-06-11T00:00"
    assert utc["hourly"]["time"][0] == 20615 * 86400
    assert content["hourly_units"]["wind_speed_10m"] == "km/h"
    for place in range(20):
        assert content["hourly"]["wind_speed_10m"][place + 2] == pytest.approx(
            utc["hourly"]["wind_speed_10m"][place] * 3.6, abs=0.3
        )
        assert content["hourly"]["temperature_2m"][place + 2] == utc["hourly"]["temperature_2m"][place]


def test_the_hubs_own_reader_understands_it(service: ForecastService) -> None:
    text = json.dumps(service.answer({**ASKED, "past_days": "1", "forecast_days": "3"}).content).encode()
    rows = parse_hours(text)
    assert len(rows) == 95
    assert rows[0][0] == 20614 * 86400


def test_a_forecast_depends_on_its_hour_of_issue_alone() -> None:
    hours = [ForecastService(Weather(3, Site()), lambda s=second: NOW_S + s) for second in (0, 900, 3600)]
    same, later, next_hour = (each.answer(ASKED).content for each in hours)
    assert same == later
    assert same != next_hour


def test_an_earlier_run_can_be_asked_for_but_none_of_the_future(service: ForecastService) -> None:
    then = ForecastService(Weather(3, Site()), lambda: NOW_S - 5 * 3600)
    run = datetime.fromtimestamp(NOW_S - 5 * 3600, UTC).strftime("%Y-%m-%dT%H:%M")
    assert service.answer({**ASKED, "run": run}).content == then.answer(ASKED).content
    assert service.answer({**ASKED, "run": "2030-01-01T00:00"}).status == 400


def test_errors_grow_with_the_lead_to_what_is_known_of_day_ahead_forecasts() -> None:
    weather = Weather(3, Site())
    service = ForecastService(weather, lambda: NOW_S)
    near: list[np.ndarray] = []
    far: list[np.ndarray] = []
    sun: list[np.ndarray] = []
    for issue in range(20500 * 24, 20560 * 24, 6):
        said = service.forecast(issue, first_hour=issue, hours=49)
        true = weather.hourly(issue, 49)
        error = np.array([said[0] - true[0], said[2] - true[2]])
        near.append(error[:, 1:3])
        far.append(error[:, 24:48])
        bright = (true[1] > 100) & (np.arange(49) >= 24)
        sun.append((said[1] / np.maximum(true[1], 1) - 1)[bright])
    near_sd, far_sd = (np.concatenate(each, axis=1).std(axis=1) for each in (near, far))
    assert far_sd[0] == pytest.approx(TEMPERATURE_SD_C, rel=0.2)
    assert far_sd[1] == pytest.approx(WIND_SD_M_S, rel=0.2)
    assert np.all(near_sd < 0.6 * far_sd)
    assert 0.7 * RADIATION_SD < np.concatenate(sun).std() < 1.2 * RADIATION_SD
    path = far[0][0] - far[0][0].mean()
    assert np.corrcoef(path[:-1], path[1:])[0, 1] > 0.4


@pytest.mark.parametrize(
    "change",
    [
        {"latitude": "north"},
        {"latitude": "95"},
        {"longitude": "nan"},
        {"hourly": "snow_depth"},
        {"hourly": ""},
        {"forecast_days": "17"},
        {"past_days": "-1"},
        {"timezone": "../../etc/passwd"},
        {"timezone": "Mars/Olympus"},
        {"wind_speed_unit": "beaufort"},
        {"timeformat": "rfc850"},
        {"run": "yesterday"},
        {"model": "ecmwf"},
    ],
)
def test_nonsense_is_refused_with_a_reason(service: ForecastService, change: dict[str, str]) -> None:
    answer = service.answer({**ASKED, **change})
    assert answer.status == 400
    assert isinstance(answer.content, dict)
    assert answer.content["error"] is True
    assert len(str(answer.content["reason"])) < 200


async def test_over_http(service: ForecastService) -> None:
    server = LoopbackServer({"/v1/forecast": service.answer})
    port = await server.start()

    def status(path: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    query = "latitude=48&longitude=7&hourly=" + ALL
    code, content = await asyncio.to_thread(status, f"/v1/forecast?{query}")
    assert code == 200
    assert "hourly" in content
    assert (await asyncio.to_thread(status, "/v1/forecast?latitude"))[0] == 400
    assert (await asyncio.to_thread(status, "/elsewhere"))[0] == 404
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/forecast HTTP/1.1\r\n\r\n")
    assert b"405" in await reader.readline()
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x00" * 20000)
    assert await reader.read() == b""
    writer.close()
    await server.close()
