"""Frames between hub and forecast worker: every bit survives, and what is not a message is refused in one line."""

import json
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from hub.core.forecasting.forecaster import History, forecast
from hub.core.forecasting.weather_table import WeatherTable
from hub.forecasts.frames import (
    LENGTH_BYTES,
    MAX_FRAME_BYTES,
    ForecastRequest,
    FrameError,
    WorkerAnswer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    frame_length,
)

TZ = "Europe/Berlin"
ISSUED = 1_983_000


def history() -> History:
    energy = 200 + np.random.default_rng(1).normal(0, 20, 20 * 96)
    energy[500:510] = np.nan
    return History("demand", ISSUED - 20 * 96, energy)


def weather() -> WeatherTable:
    slot = np.arange(ISSUED - 20 * 96, ISSUED + 192, dtype=np.int64)
    rng = np.random.default_rng(2)
    return WeatherTable(slot, slot * 0, *(rng.uniform(0, 20, len(slot)) for _ in range(3)))


REQUEST = ForecastRequest(history(), weather(), 192, ISSUED, TZ, (0.1, 0.5), np.arange(96.0), (date(2026, 5, 1),))


def body(frame: bytes) -> bytes:
    assert frame_length(frame[:LENGTH_BYTES]) == len(frame) - LENGTH_BYTES
    return frame[LENGTH_BYTES:]


def test_a_request_survives_bit_for_bit() -> None:
    back = decode_request(body(encode_request(REQUEST)))
    assert back.history.energy_wh.tobytes() == REQUEST.history.energy_wh.tobytes()
    assert (back.history.target, back.history.first_slot) == ("demand", ISSUED - 20 * 96)
    for name in ("slot", "known_slot", "temperature_c", "radiation_w_m2", "wind_m_s"):
        column = getattr(back.weather, name)
        assert column.tobytes() == getattr(REQUEST.weather, name).tobytes()
        assert column.dtype == getattr(REQUEST.weather, name).dtype
    assert back.profile_wh is not None
    assert back.profile_wh.tolist() == list(range(96))
    assert (back.horizon_slots, back.issued_slot, back.tz, back.quantiles) == (192, ISSUED, TZ, (0.1, 0.5))
    assert back.free_days == (date(2026, 5, 1),)
    plain = ForecastRequest(history(), WeatherTable.empty(), 1, ISSUED, TZ)
    assert decode_request(body(encode_request(plain))).profile_wh is None


@pytest.mark.parametrize("horizon", [1, 50, 192])
def test_an_answer_survives_bit_for_bit(horizon: int) -> None:
    made = forecast(history(), weather(), horizon, issued_slot=ISSUED, tz=TZ)
    sent = WorkerAnswer(forecast=made, request_cpu_s=0.25, cpu_s=1.5, rss_bytes=2**40)
    again = decode_answer(body(encode_answer(sent)))
    assert (again.refused, again.failed) == (None, None)
    assert (again.request_cpu_s, again.cpu_s, again.rss_bytes) == (0.25, 1.5, 2**40)
    back = again.forecast
    assert back is not None
    for name in ("energy_wh", "point_wh", "error_history_wh"):
        assert getattr(back, name).shape == getattr(made, name).shape
        assert getattr(back, name).tobytes() == getattr(made, name).tobytes()
    for name in ("target", "issued_slot", "first_slot", "quantiles", "model", "reason", "drivers"):
        assert getattr(back, name) == getattr(made, name)
    assert back.error_origin_slot == made.error_origin_slot
    assert back.weather_known_slot == made.weather_known_slot


def test_a_forecast_without_past_errors_keeps_its_shape() -> None:
    made = forecast(History("demand", ISSUED - 96, np.ones(96)), WeatherTable.empty(), 10, issued_slot=ISSUED, tz=TZ)
    back = decode_answer(body(encode_answer(WorkerAnswer(forecast=made)))).forecast
    assert back is not None
    assert back.error_history_wh.shape == made.error_history_wh.shape == (len(made.error_origin_slot), 10)


@pytest.mark.parametrize("answer", [WorkerAnswer(), WorkerAnswer(refused="no"), WorkerAnswer(failed="broken")])
def test_an_answer_without_a_forecast_comes_through(answer: WorkerAnswer) -> None:
    assert decode_answer(body(encode_answer(answer))) == answer


def test_a_frame_over_the_limit_is_refused_before_it_is_read_or_sent() -> None:
    assert frame_length(MAX_FRAME_BYTES.to_bytes(4, "big")) == MAX_FRAME_BYTES
    for prefix in ((MAX_FRAME_BYTES + 1).to_bytes(4, "big"), b"\xff\xff\xff\xff"):
        with pytest.raises(FrameError, match="over the limit"):
            frame_length(prefix)
    long = History("demand", 0, np.zeros(MAX_FRAME_BYTES // 8))
    with pytest.raises(FrameError, match="send less history"):
        encode_request(ForecastRequest(long, WeatherTable.empty(), 192, ISSUED, TZ))


@pytest.mark.parametrize(
    "data", [b"", b"not json", b"[1]", b"\xff", b"{}", b"null", b'{"target":"\xff"}', b"[" * 10**5]
)
@pytest.mark.parametrize("decode", [decode_request, decode_answer])
def test_what_is_not_a_message_is_refused_in_one_line(decode: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(FrameError, match="not a message of the expected form") as refused:
        decode(data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"horizon_slots": "192"}, "horizon_slots"),
        ({"horizon_slots": None}, "horizon_slots"),
        ({"energy_wh": 7}, "energy_wh"),
        ({"energy_wh": "not base64!"}, "energy_wh"),
        ({"quantiles": [0.1, "x"]}, "quantiles"),
        ({"surprise": 1}, "surprise"),
        ({"energy_wh": "AAAA"}, "wrong length"),
        ({"weather": {"slot": ""}}, "weather"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], named: str) -> None:
    fields = json.loads(body(encode_request(REQUEST))) | change
    with pytest.raises(FrameError, match=named):
        decode_request(json.dumps(fields).encode())


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    made = forecast(history(), weather(), 10, issued_slot=ISSUED, tz=TZ)
    fields = json.loads(body(encode_answer(WorkerAnswer(forecast=made))))
    fields["forecast"]["quantiles"] = [0.5]
    with pytest.raises(FrameError, match="wrong length"):
        decode_answer(json.dumps(fields).encode())
    fields = json.loads(body(encode_request(REQUEST)))
    fields["weather"]["wind_m_s"] = ""
    with pytest.raises(FrameError, match="wind_m_s does not have the length of slot"):
        decode_request(json.dumps(fields).encode())
