"""A street: its homes, its weather and the true flows in every home. Everything else derives from it.

A function of (seed, first day, accepted moves of runs); it serves nothing and has no clock.
"""

from collections.abc import Sequence

from simulator.world.appliances import ApplianceRun
from simulator.world.homes import SimulatedHome, make_home
from simulator.world.physics import HomePhysics
from simulator.world.site import STEP_S, Site
from simulator.world.weather import Weather

LONGEST_STREET = 200


class Street:
    """The homes of one street, starting on `first_day` (a UTC day number).

    With `counts_apart`, homes with panels and no battery have grid meters that count each phase by itself.
    """

    def __init__(
        self, *, seed: int, homes: int, first_day: int, site: Site | None = None, counts_apart: bool = False
    ) -> None:
        if not 1 <= homes <= LONGEST_STREET:
            raise ValueError(f"a street has 1 to {LONGEST_STREET} homes")
        self.seed = seed
        self.counts_apart = counts_apart
        self.first_day = first_day
        self.site = site or Site()
        self.weather = Weather(seed, self.site)
        self.homes: Sequence[SimulatedHome] = tuple(
            make_home(seed, index, counts_apart=counts_apart) for index in range(homes)
        )
        self._physics = {
            home.id: HomePhysics(home, seed=seed, weather=self.weather, first_day=first_day) for home in self.homes
        }

    def home(self, home_id: str) -> SimulatedHome:
        """The home with this id. Raises: KeyError."""
        return self._physics[home_id].home

    def physics(self, home_id: str) -> HomePhysics:
        """The flows of this home. Raises: KeyError."""
        return self._physics[home_id]

    def move_run(self, home_id: str, run: ApplianceRun, *, start_s: int, now_s: float, prompt: str) -> ApplianceRun:
        """Let a run that has not started begin at another time; the home's flows change accordingly.

        Raises: ValueError if the past would change.
        """
        start_s -= start_s % STEP_S
        if min(run.start_s, start_s) <= now_s:
            raise ValueError("a run can only be moved from and to a time in the future")
        physics = self._physics[home_id]
        moved = physics.plan.move(run, start_s=start_s, prompt=prompt)
        physics.forget_from(min(run.start_s, start_s))
        return moved
