"""Backups' names sort by time; of a co-op's own, the newest of each day, week and month stay as long as asked."""

import random
from datetime import UTC, datetime, timedelta

from hub.backups.places import half_written
from hub.backups.snapshots import Keeping, made_at_of, no_longer_kept, own_snapshots, snapshot_name

TZ = "Europe/Madrid"
START = datetime(2026, 1, 1, 1, 15, tzinfo=UTC)


def nightly(days: int) -> list[str]:
    return [snapshot_name("sunny", int((START + timedelta(days=day)).timestamp())) for day in range(days)]


def after_each_night(days: int, keeping: Keeping) -> list[str]:
    held: list[str] = []
    for name in nightly(days):
        held.append(name)
        gone = no_longer_kept(held, coop="sunny", keeping=keeping, tz=TZ)
        held = [each for each in held if each not in gone]
    return held


def test_a_name_says_whose_and_when() -> None:
    assert snapshot_name("sunny", 1_796_000_000) == "sunny-20261130T005320Z.cwbackup"
    assert made_at_of("sunny-20261130T005320Z.cwbackup", coop="sunny") == 1_796_000_000
    for other in ("sunny-20261330T045320Z.cwbackup", "sunny-20261130T005320Z.cwbackup.part", "notes.txt"):
        assert made_at_of(other, coop="sunny") is None


def test_another_coop_s_backups_are_nobody_s_business() -> None:
    names = [*nightly(3), snapshot_name("sunny-side", 1_790_000_000), "photos.zip"]
    assert own_snapshots(reversed(names), coop="sunny") == tuple(nightly(3))
    gone = no_longer_kept(names, coop="sunny", keeping=Keeping(1, 0, 0), tz=TZ)
    assert gone == tuple(nightly(3)[:2])


def test_after_a_year_of_nights_seven_days_five_weeks_and_twelve_months_are_there() -> None:
    held = after_each_night(400, Keeping(daily=7, weekly=5, monthly=12))
    days = [(datetime.fromtimestamp(made_at_of(name, coop="sunny") or 0, UTC) - START).days for name in held]
    assert days[-7:] == list(range(393, 400))
    assert len({name[6:12] for name in held}) >= 12
    weeks = {datetime.fromtimestamp(made_at_of(name, coop="sunny") or 0, UTC).isocalendar()[:2] for name in held}
    assert len(weeks) >= 5
    assert 7 < len(held) <= 7 + 5 + 12


def test_the_newest_is_always_kept_and_the_order_given_does_not_matter() -> None:
    names = nightly(40)
    shuffled = random.Random(1).sample(names, len(names))
    for keeping in (Keeping(1, 0, 0), Keeping(3, 2, 1)):
        gone = no_longer_kept(shuffled, coop="sunny", keeping=keeping, tz=TZ)
        assert names[-1] not in gone
        assert gone == no_longer_kept(names, coop="sunny", keeping=keeping, tz=TZ)
    assert len(no_longer_kept(names, coop="sunny", keeping=Keeping(1, 0, 0), tz=TZ)) == 39


def test_several_backups_of_one_day_leave_the_last() -> None:
    at = [int((START + timedelta(hours=hour)).timestamp()) for hour in (0, 5, 10)]
    names = [snapshot_name("sunny", each) for each in at]
    assert no_longer_kept(names, coop="sunny", keeping=Keeping(7, 5, 12), tz=TZ) == tuple(names[:2])


def test_only_the_coop_s_own_drafts_are_called_half_written() -> None:
    draft = nightly(1)[0] + ".part"
    assert half_written((draft, "film.part", snapshot_name("other", 1) + ".part"), coop="sunny") == (draft,)
