"""The words between the hub and its forecast worker: length-prefixed JSON frames, arrays as base64 of float64.

Pure conversion and framing; who starts whom stands in forecast_worker. Arrays keep every bit, NaN included.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.forecaster import QUANTILES, Forecast, History
from hub.core.forecasting.weather_table import WeatherTable
from protocols.errors import InputError

MAX_FRAME_BYTES = 32 * 1024 * 1024
LENGTH_BYTES = 4

Json = dict[str, Any]


class FrameError(InputError):
    """A frame that is not one: too long, or not a JSON object."""


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """Everything one forecast rests on; see hub.core.forecasting.forecaster.forecast for the meaning of each part."""

    history: History
    weather: WeatherTable
    horizon_slots: int
    issued_slot: int
    tz: str
    quantiles: tuple[float, ...] = QUANTILES
    profile_wh: NDArray[np.float64] | None = None


def to_frame(message: Json) -> bytes:
    """A message as its length and its JSON.

    Raises: FrameError when it is longer than MAX_FRAME_BYTES.
    """
    body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"a request of {len(body)} bytes is over the limit of {MAX_FRAME_BYTES}: send less history")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def frame_length(prefix: bytes) -> int:
    """The length of the body that follows; refused before any of it is read when it is over the limit."""
    length = int.from_bytes(prefix, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
    return length


def from_body(body: bytes) -> Json:
    """The message in a frame's body."""
    try:
        message = json.loads(body)
    except ValueError:
        raise FrameError("a frame does not hold JSON") from None
    if not isinstance(message, dict):
        raise FrameError("a frame does not hold a JSON object")
    return message


def request_to_json(request: ForecastRequest) -> Json:
    """A request as plain JSON."""
    weather = request.weather
    return {
        "target": request.history.target,
        "first_slot": request.history.first_slot,
        "energy_wh": _pack(request.history.energy_wh),
        "weather": {
            "slot": _pack(weather.slot),
            "known_slot": _pack(weather.known_slot),
            "temperature_c": _pack(weather.temperature_c),
            "radiation_w_m2": _pack(weather.radiation_w_m2),
            "wind_m_s": _pack(weather.wind_m_s),
        },
        "horizon_slots": request.horizon_slots,
        "issued_slot": request.issued_slot,
        "tz": request.tz,
        "quantiles": list(request.quantiles),
        "profile_wh": None if request.profile_wh is None else _pack(request.profile_wh),
    }


def request_from_json(message: Mapping[str, Any]) -> ForecastRequest:
    """The request a worker was sent."""
    weather = message["weather"]
    profile = message["profile_wh"]
    return ForecastRequest(
        history=History(message["target"], message["first_slot"], _floats(message["energy_wh"])),
        weather=WeatherTable(
            slot=_ints(weather["slot"]),
            known_slot=_ints(weather["known_slot"]),
            temperature_c=_floats(weather["temperature_c"]),
            radiation_w_m2=_floats(weather["radiation_w_m2"]),
            wind_m_s=_floats(weather["wind_m_s"]),
        ),
        horizon_slots=message["horizon_slots"],
        issued_slot=message["issued_slot"],
        tz=message["tz"],
        quantiles=tuple(message["quantiles"]),
        profile_wh=None if profile is None else _floats(profile),
    )


def forecast_to_json(forecast: Forecast) -> Json:
    """A forecast as plain JSON."""
    return {
        "target": forecast.target,
        "issued_slot": forecast.issued_slot,
        "first_slot": forecast.first_slot,
        "quantiles": list(forecast.quantiles),
        "energy_wh": _pack(forecast.energy_wh),
        "point_wh": _pack(forecast.point_wh),
        "model": forecast.model,
        "reason": forecast.reason,
        "drivers": list(forecast.drivers),
        "error_history_wh": _pack(forecast.error_history_wh),
        "error_origin_slot": list(forecast.error_origin_slot),
        "weather_known_slot": forecast.weather_known_slot,
    }


def forecast_from_json(message: Mapping[str, Any]) -> Forecast:
    """The forecast a worker answered with."""
    point = _floats(message["point_wh"])
    return Forecast(
        target=message["target"],
        issued_slot=message["issued_slot"],
        first_slot=message["first_slot"],
        quantiles=tuple(message["quantiles"]),
        energy_wh=_floats(message["energy_wh"]).reshape(len(point), -1),
        point_wh=point,
        model=message["model"],
        reason=message["reason"],
        drivers=tuple(message["drivers"]),
        error_history_wh=_floats(message["error_history_wh"]).reshape(-1, len(point)),
        error_origin_slot=tuple(message["error_origin_slot"]),
        weather_known_slot=message["weather_known_slot"],
    )


def _pack(values: NDArray[np.float64] | NDArray[np.int64]) -> str:
    kind = "<f8" if values.dtype.kind == "f" else "<i8"
    return b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _floats(text: str) -> NDArray[np.float64]:
    return np.frombuffer(b64decode(text), dtype="<f8").astype(np.float64)


def _ints(text: str) -> NDArray[np.int64]:
    return np.frombuffer(b64decode(text), dtype="<i8").astype(np.int64)
