"""The messages between the hub and its forecast worker: length-prefixed JSON frames, arrays as base64 of float64.

Pure conversion and framing; worker.py starts the process and answers requests. Arrays keep every bit, including NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hub.core.forecasting.day_grid import Floats, Ints
from hub.core.forecasting.forecaster import QUANTILES, Forecast, History
from hub.core.forecasting.weather_table import WeatherTable
from protocols.errors import InputError

MAX_FRAME_BYTES = 32 * 1024 * 1024
LENGTH_BYTES = 4


class FrameError(InputError):
    """A frame that cannot be used: too long, or not a message of the expected form."""


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """The complete input of one forecast; hub.core.forecasting.forecaster.forecast explains each part."""

    history: History
    weather: WeatherTable
    horizon_slots: int
    issued_slot: int
    tz: str
    quantiles: tuple[float, ...] = QUANTILES
    profile_wh: Floats | None = None
    free_days: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """The worker's answer: a forecast, why it refused the request, or how it failed; none of these in the first one.

    The first one says that the worker has started. `request_cpu_s` is for this request, `cpu_s` and `rss_bytes` are
    for the worker so far.
    """

    forecast: Forecast | None = None
    refused: str | None = None
    failed: str | None = None
    request_cpu_s: float = 0.0
    cpu_s: float = 0.0
    rss_bytes: int = 0


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object with exactly these keys; bytes are base64."""


class _WeatherForm(_Form, frozen=True):
    slot: bytes
    known_slot: bytes
    temperature_c: bytes
    radiation_w_m2: bytes
    wind_m_s: bytes


class _RequestForm(_Form, frozen=True):
    target: str
    first_slot: int
    energy_wh: bytes
    weather: _WeatherForm
    horizon_slots: int
    issued_slot: int
    tz: str
    quantiles: tuple[float, ...]
    profile_wh: bytes | None
    free_days: tuple[date, ...]


class _ForecastForm(_Form, frozen=True):
    target: str
    issued_slot: int
    first_slot: int
    quantiles: tuple[float, ...]
    energy_wh: bytes
    point_wh: bytes
    model: str
    reason: str
    drivers: tuple[str, ...]
    error_history_wh: bytes
    error_origin_slot: tuple[int, ...]
    weather_known_slot: int | None


class _AnswerForm(_Form, frozen=True):
    forecast: _ForecastForm | None
    refused: str | None
    failed: str | None
    request_cpu_s: float
    cpu_s: float
    rss_bytes: int


AnyForm = TypeVar("AnyForm", bound=_Form)


def frame_length(prefix: bytes) -> int:
    """The length of the body that follows; a length over the limit is refused before any of the body is read."""
    length = int.from_bytes(prefix, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
    return length


def encode_request(request: ForecastRequest) -> bytes:
    """The frame of a request. Raises: FrameError when it is longer than MAX_FRAME_BYTES."""
    weather = request.weather
    return _frame(
        _RequestForm(
            target=request.history.target,
            first_slot=request.history.first_slot,
            energy_wh=_pack(request.history.energy_wh),
            weather=_WeatherForm(
                slot=_pack(weather.slot),
                known_slot=_pack(weather.known_slot),
                temperature_c=_pack(weather.temperature_c),
                radiation_w_m2=_pack(weather.radiation_w_m2),
                wind_m_s=_pack(weather.wind_m_s),
            ),
            horizon_slots=request.horizon_slots,
            issued_slot=request.issued_slot,
            tz=request.tz,
            quantiles=request.quantiles,
            profile_wh=None if request.profile_wh is None else _pack(request.profile_wh),
            free_days=request.free_days,
        )
    )


def decode_request(body: bytes) -> ForecastRequest:
    """The request in a frame's body. Raises: FrameError."""
    form = _parse(body, _RequestForm)
    try:
        return ForecastRequest(
            history=History(form.target, form.first_slot, _floats(form.energy_wh)),
            weather=WeatherTable(
                slot=_ints(form.weather.slot),
                known_slot=_ints(form.weather.known_slot),
                temperature_c=_floats(form.weather.temperature_c),
                radiation_w_m2=_floats(form.weather.radiation_w_m2),
                wind_m_s=_floats(form.weather.wind_m_s),
            ),
            horizon_slots=form.horizon_slots,
            issued_slot=form.issued_slot,
            tz=form.tz,
            quantiles=form.quantiles,
            profile_wh=None if form.profile_wh is None else _floats(form.profile_wh),
            free_days=form.free_days,
        )
    except ValueError as error:
        raise FrameError(f"an array of a request has the wrong length: {error}") from None


def encode_answer(answer: WorkerAnswer) -> bytes:
    """The frame of an answer. Raises: FrameError when it is longer than MAX_FRAME_BYTES."""
    forecast = answer.forecast
    form = None
    if forecast is not None:
        form = _ForecastForm(
            target=forecast.target,
            issued_slot=forecast.issued_slot,
            first_slot=forecast.first_slot,
            quantiles=forecast.quantiles,
            energy_wh=_pack(forecast.energy_wh),
            point_wh=_pack(forecast.point_wh),
            model=forecast.model,
            reason=forecast.reason,
            drivers=forecast.drivers,
            error_history_wh=_pack(forecast.error_history_wh),
            error_origin_slot=forecast.error_origin_slot,
            weather_known_slot=forecast.weather_known_slot,
        )
    return _frame(
        _AnswerForm(
            forecast=form,
            refused=answer.refused,
            failed=answer.failed,
            request_cpu_s=answer.request_cpu_s,
            cpu_s=answer.cpu_s,
            rss_bytes=answer.rss_bytes,
        )
    )


def decode_answer(body: bytes) -> WorkerAnswer:
    """The answer in a frame's body. Raises: FrameError."""
    form = _parse(body, _AnswerForm)
    try:
        forecast = None if form.forecast is None else _forecast(form.forecast)
    except ValueError as error:
        raise FrameError(f"an array of a forecast has the wrong length: {error}") from None
    return WorkerAnswer(
        forecast=forecast,
        refused=form.refused,
        failed=form.failed,
        request_cpu_s=form.request_cpu_s,
        cpu_s=form.cpu_s,
        rss_bytes=form.rss_bytes,
    )


def _forecast(form: _ForecastForm) -> Forecast:
    point = _floats(form.point_wh)
    return Forecast(
        target=form.target,
        issued_slot=form.issued_slot,
        first_slot=form.first_slot,
        quantiles=form.quantiles,
        energy_wh=_floats(form.energy_wh).reshape(len(point), len(form.quantiles)),
        point_wh=point,
        model=form.model,
        reason=form.reason,
        drivers=form.drivers,
        error_history_wh=_floats(form.error_history_wh).reshape(len(form.error_origin_slot), len(point)),
        error_origin_slot=form.error_origin_slot,
        weather_known_slot=form.weather_known_slot,
    )


def _frame(form: _Form) -> bytes:
    body = msgspec.json.encode(form)
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"a request of {len(body)} bytes is over the limit of {MAX_FRAME_BYTES}: send less history")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _parse(body: bytes, form: type[AnyForm]) -> AnyForm:
    try:
        return msgspec.json.decode(body, type=form)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame is not a message of the expected form: {error}") from None


def _pack(values: NDArray[np.float64] | NDArray[np.int64]) -> bytes:
    kind = "<f8" if values.dtype.kind == "f" else "<i8"
    return np.ascontiguousarray(values, dtype=kind).tobytes()


def _floats(data: bytes) -> Floats:
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def _ints(data: bytes) -> Ints:
    return np.frombuffer(data, dtype="<i8").astype(np.int64)
