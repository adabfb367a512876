"""The brokers of the running hub: started together, watched each for itself, and told of by number."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from hub.broker.elsewhere import facts_of
from hub.broker.plans import BrokerPlan
from hub.broker.supervisor import BrokerProcess


class Brokers:
    """One process for each plan. `changed` is called whenever one begins or ceases to respond."""

    def __init__(self, plans: Sequence[BrokerPlan], *, changed: Callable[[], None]) -> None:
        self._processes = tuple(BrokerProcess(plan, changed=changed) for plan in plans)

    async def run(self) -> None:
        """Keep them running until cancelled, then stop them."""
        async with asyncio.TaskGroup() as group:
            for process in self._processes:
                group.create_task(process.run())

    def reload(self, number: int) -> None:
        """Tell one of them to read its access rules and certificates again."""
        self._processes[number].reload()

    @property
    def are_ready(self) -> list[bool]:
        """Which of them respond now."""
        return [process.ready.is_set() for process in self._processes]

    @property
    def facts(self) -> list[dict[str, object]]:
        """All that another process of the hub must know of each, passwords included."""
        return [facts_of(process) for process in self._processes]

    @property
    def figures(self) -> Mapping[str, object]:
        """Of each: its process, and how often it was started again."""
        return {name: {"pid": each.pid, "restarts": each.restarts} for name, each in self.processes.items()}

    @property
    def processes(self) -> Mapping[str, BrokerProcess]:
        """Each with its name among the hub's processes."""
        return {"broker" if n == 0 else f"broker {n + 1}": process for n, process in enumerate(self._processes)}

    @property
    def words(self) -> str:
        """Which they are and where homes reach them, for people."""
        plans = [process.plan for process in self._processes]
        return "broker " + ", ".join(f"({plan.name}) on {plan.words}" for plan in plans)

    @property
    def warnings(self) -> list[str | None]:
        """What the board should know of each."""
        return [process.plan.warning for process in self._processes]

    @property
    def place(self) -> Mapping[str, object]:
        """Which they are and where, for other programs of the hub's user."""
        first, *more = (process.plan.place for process in self._processes)
        return {**first, "more_brokers": list(more)} if more else first
