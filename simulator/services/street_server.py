"""A street being served: every home's devices, the weather service and the control port, in one event loop.

The street is a value made elsewhere; here are only sockets, ptys and the clock.
"""

import resource
from collections.abc import Mapping
from pathlib import Path

from protocols.timeline import Clock
from simulator.devices.faults import FaultScript
from simulator.devices.image import DeviceImage
from simulator.devices.modbus_server import LinkLimits, SimulatedLink
from simulator.services import truth
from simulator.services.loopback_http import LoopbackResponse, LoopbackServer
from simulator.services.residents import Residents
from simulator.services.weather_service import ForecastService
from simulator.world.families import family_map
from simulator.world.homes import ModbusUnit, SimulatedHome
from simulator.world.site import STEP_S
from simulator.world.street import Street

CONNECT_DELAY_S = 0.1
"""Real seconds a delicate device needs after a connect; real ones take up to 2 s, which their map tells the agent."""


class RunningStreet:
    """Serves a street from `start` to `close`. `folder` gets the RTU buses as files under `bus/`."""

    def __init__(
        self, street: Street, clock: Clock, *, folder: Path, script: FaultScript | None = None, step_s: int = STEP_S
    ) -> None:
        self.street = street
        self.clock = clock
        self.script = script or FaultScript()
        self.residents: Residents | None = None
        self.connects: dict[tuple[str, str], str] = {}
        self.urls: dict[str, str] = {}
        self._folder = folder
        self._step_s = step_s
        self._links: list[SimulatedLink] = []
        self._servers: list[LoopbackServer] = []

    async def start(self) -> None:
        """Open every port and bus; what was opened is closed again when one fails. Raises: OSError."""
        try:
            for home in self.street.homes:
                for link in home.links:
                    self.connects[home.id, link] = await self._open(home, link)
            weather = ForecastService(self.street.weather, self.clock.now)
            port = await self._serve({"/v1/forecast": weather.answer})
            self.urls["weather_url"] = f"http://127.0.0.1:{port}/v1/forecast"
            port = await self._serve(
                {"/truth.json": self._truth, "/status.json": self._status, "/look.json": self._look}
            )
            self.urls["control_url"] = f"http://127.0.0.1:{port}"
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close everything."""
        for server in self._servers:
            await server.close()
        for link in self._links:
            await link.close()
        self._servers, self._links = [], []

    @property
    def requests(self) -> int:
        """Modbus requests answered so far."""
        return sum(link.requests for link in self._links)

    async def _open(self, home: SimulatedHome, name: str) -> str:
        """Serve one link of a home; its connect string is returned."""
        units = [unit for unit in home.units if unit.link == name]
        physics = self.street.physics(home.id)
        images = [
            DeviceImage(
                unit, home, physics=physics, seed=self.street.seed, step_s=self._step_s, disturbance=self.script
            )
            for unit in units
        ]
        link = SimulatedLink(images, self.clock.now, script=self.script, manners=_manners(units))
        self._links.append(link)
        if home.links[name] == "tcp":
            return f"tcp://127.0.0.1:{await link.serve_tcp()}"
        path = self._folder.resolve() / "bus" / f"{home.id}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        link.serve_rtu(path)
        serial = family_map(units[0].families[0]).transport.rtu
        return f"rtu://{path}?baud={serial.baud}&parity={serial.parity}" if serial else f"rtu://{path}"

    async def _serve(self, routes: Mapping[str, object]) -> int:
        server = LoopbackServer(routes)  # type: ignore[arg-type]
        self._servers.append(server)
        return await server.start()

    def _truth(self, query: Mapping[str, str]) -> LoopbackResponse:
        return truth.answer_truth(self.street, query, now_s=self.clock.now())

    def _status(self, _query: Mapping[str, str]) -> LoopbackResponse:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return LoopbackResponse(
            200,
            {
                "now_s": self.clock.now(),
                "homes": len(self.street.homes),
                "devices": sum(len(home.devices) for home in self.street.homes),
                "requests": self.requests,
                "residents": self._tally(),
                "cpu_s": round(used.ru_utime + used.ru_stime, 3),
                "max_rss_mb": used.ru_maxrss // 1024,
            },
        )

    async def _look(self, _query: Mapping[str, str]) -> LoopbackResponse:
        """Let the residents look at their prompts now, and say what they have done so far."""
        if self.residents is None:
            return LoopbackResponse(
                503, {"error": True, "reason": "nobody of this street has signed in with a hub yet"}
            )
        await self.residents.answer_prompts()
        return LoopbackResponse(200, self._tally())

    def _tally(self) -> dict[str, float] | None:
        if self.residents is None:
            return None
        tally = self.residents.tally
        return {name: getattr(tally, name) for name in tally.__slots__}


def _manners(units: list[ModbusUnit]) -> LinkLimits:
    transports = [family_map(family).transport for unit in units for family in unit.families]
    limits = [each.max_clients for each in transports if each.max_clients is not None]
    # The stated delay is what the agent waits; the device is ready somewhat earlier, as in life.
    delay_s = CONNECT_DELAY_S if any(each.connect_delay_ms for each in transports) else 0.0
    return LinkLimits(min(limits, default=None), delay_s)
