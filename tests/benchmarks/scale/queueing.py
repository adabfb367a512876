"""Queues in the order of arrival, computed over whole arrays, and the formulas they are held against. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]


def fifo_waits_s(arrivals_s: Times, service_s: float) -> Times:
    """How long each arrival waits before one server begins with it. `arrivals_s` rises; each takes `service_s`.

    Lindley's recursion, unrolled: the server begins with number n at the latest of arrival k plus n - k services.
    """
    order = np.arange(arrivals_s.size) * service_s
    return np.maximum.accumulate(arrivals_s - order) + order - arrivals_s


def longest_queue(arrivals_s: Times, waits_s: Times, service_s: float) -> int:
    """The most that were there at once, with the one being served."""
    if not arrivals_s.size:
        return 0
    gone = np.searchsorted(arrivals_s + waits_s + service_s, arrivals_s, side="right")
    return int((np.arange(1, arrivals_s.size + 1) - gone).max())


def mean_wait_s(load: float, service_s: float) -> float:
    """The mean wait of random arrivals at one server that takes `service_s` for each (M/D/1).

    Source: the Pollaczek-Khinchine formula, without variance of the service.
    """
    if not 0 <= load < 1:
        raise ValueError("a queue without an end: the load must be below 1")
    return load * service_s / (2 * (1 - load))


def drain_s(backlog_s: float, *, servers: float, load: float) -> float:
    """How long servers take for work that waits while more comes; both in seconds of one server."""
    if load >= servers:
        raise ValueError("the backlog never ends: more comes than the servers can do")
    return backlog_s / (servers - load)
