"""The parts of a country's preset: method, step, the values the co-op fills in, sources, and what is not covered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value the co-op decides on; `place` says where it goes in a rule or a case file."""

    place: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Preset:
    """One way of sharing energy that is in use somewhere. `equal_weights` sets `params.weights` to 1 for everyone.

    `netting` is the time within which the country nets each member's import and export before they are shared.
    """

    id: str
    country: str
    name: str
    method: str
    sources: tuple[str, ...]
    not_covered: tuple[str, ...]
    aggregate: int = 1
    netting: str = "none"
    must_fill: tuple[Parameter, ...] = ()
    may_fill: tuple[Parameter, ...] = ()
    equal_weights: bool = False

    @property
    def needs_no_member(self) -> bool:
        """Whether it can be a co-op's rule before there are members: none of them has a share of its own in it."""
        return not self.must_fill and not self.equal_weights

    @property
    def step(self) -> str:
        """The interval in which energy is shared."""
        return "hour" if self.aggregate == 4 else "quarter hour"

    @property
    def netted(self) -> str:
        """Within what each member is netted first, in words; empty if nothing is."""
        return {"15min": "netted within the quarter hour", "60min": "netted within the hour"}.get(self.netting, "")
