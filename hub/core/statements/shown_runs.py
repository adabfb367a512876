"""Chooses which run of a day members see, where a newer one would show the readings of one to four homes.

The older run then stays. A home that alone was corrected sees its own new numbers; what the correction means for the
others reaches them as one total of the month.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.core.rules.group_size import GroupRule
from hub.core.settlement.disclosure import (
    Reasons,
    changed_homes,
    hides_each_home,
    known_reasons,
    same_shares_hidden,
    withheld_reasons,
)
from hub.core.settlement.period import Settlement


@dataclass(frozen=True, slots=True)
class ShownRuns:
    """A day's runs in order. Everybody sees the one at `shown`; `changed` are the homes that each later run corrects
    from there, None if that cannot be told or if it would withhold other intervals. `withheld` says by run why each
    interval is withheld; a day's only run is not in it.
    """

    keys: tuple[str, ...]
    shown: int
    changed: tuple[frozenset[str] | None, ...]
    withheld: Mapping[str, Reasons] = field(default_factory=dict)

    def for_member(self, member: str) -> int:
        """The place of the run that this member sees: a later one only if it corrects nobody else."""
        own = [n for n, homes in enumerate(self.changed, self.shown + 1) if homes is not None and homes <= {member}]
        return own[-1] if own else self.shown


@dataclass(frozen=True, slots=True)
class VisibleRuns:
    """What a member may see of a range of days: for each day its runs up to the one that is shown.

    `held_back` has the runs after it; of these, members get one total of a published month.
    """

    runs: Mapping[str, tuple[str, ...]]
    held_back: frozenset[str]


def choose_runs(
    keys: Sequence[str], runs: Sequence[Settlement], groups: Sequence[GroupRule], *, earlier: Sequence[bool] = ()
) -> ShownRuns:
    """The first run is shown, and each later one that differs safely from every one shown before it.

    `groups` says for each run which homes may be seen, as it was when that run was first shown. `earlier` marks runs
    that earlier releases showed without this rule: what is out cannot be taken back.
    """
    shown, reasons = [0], [withheld_reasons(runs[0], groups[0])]
    for n in range(1, len(runs)):
        known = known_reasons([(runs[at], reasons[at]) for at in shown], runs[n])
        reasons.append(withheld_reasons(runs[n], groups[n], known=known))
        was_shown = n < len(earlier) and earlier[n]
        if was_shown or all(hides_each_home(runs[at], runs[n], groups[n]) for at in shown):
            shown.append(n)
    last = shown[-1]
    changed = [
        changed_homes(runs[last], runs[n]) if same_shares_hidden(reasons[last], reasons[n]) else None
        for n in range(last + 1, len(runs))
    ]
    return ShownRuns(tuple(keys), last, tuple(changed), dict(zip(keys, reasons, strict=True)))
