"""Chooses the homes whose sum is published for one slot, so that no total and no difference to another shows a home.

The settlement publishes sums over every home that was read. A street total over all but one of them would show that
one; then four more are left out, and the total is an estimate from the others.
"""

from collections.abc import Set

from hub.core.rules.group_size import GroupRule


def slot_group(
    everybody: Set[str], ready: Set[str], *, makers: Set[str], rule: GroupRule, late: Set[str] = frozenset()
) -> frozenset[str] | None:
    """The homes to add up, a part of `ready`; None if no group of them may be shown.

    `makers` are homes that produce power: their sum is shown as well. Homes that make nothing are left out first.
    Homes that are `late` may still be settled or not, so they do not count among those left out.

    >>> street = {f"h{n:02d}" for n in range(1, 13)}
    >>> makers = {f"h{n:02d}" for n in range(1, 7)}
    >>> sorted(slot_group(street, street - {"h12"}, makers=makers, rule=GroupRule()))
    ['h01', 'h02', 'h03', 'h04', 'h05', 'h06', 'h11']
    >>> slot_group(street, street - {"h01", "h02"}, makers=makers, rule=GroupRule())
    """
    group, left_out = set(ready), set(everybody) - ready - late
    is_whole = everybody <= ready
    for home in sorted(ready, key=lambda home: (home in makers, home)):
        if is_whole or (left_out and rule.allows(left_out)) or (not left_out and rule.allows(set(late))):
            break
        group.discard(home)
        left_out.add(home)
    is_shown = bool(group) and all(rule.allows(each) for each in (group, left_out, left_out | late, group & makers))
    return frozenset(group) if is_shown else None
