"""What a preset of a country says of itself: method, step, what the co-op fills in, sources, and what is left out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something the co-op decides: `place` is where it stands in a rule or a case file."""

    place: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Preset:
    """One way of sharing that is in force somewhere. `equal_weights` fills `params.weights` with 1 for everyone."""

    id: str
    country: str
    name: str
    method: str
    sources: tuple[str, ...]
    not_covered: tuple[str, ...]
    aggregate: int = 1
    must_fill: tuple[Parameter, ...] = ()
    may_fill: tuple[Parameter, ...] = ()
    equal_weights: bool = False

    @property
    def step(self) -> str:
        """The interval that energy is shared in."""
        return "hour" if self.aggregate == 4 else "quarter hour"
