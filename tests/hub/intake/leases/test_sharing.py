"""Workers that come, go, are killed and are paused: a shard never has two, and soon has one (I1, I2, I3)."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.intake.leases.sharing import LEASE_MS, fair_share, lease_name, next_turn, shards_in
from hub.storage.shared.records import HubProcess, Lease, LeaseTable
from protocols.wire.topics import SHARDS

TURN_MS = 2_000
ROUNDS_TO_SETTLE = 1 + LEASE_MS // TURN_MS + 3
"""Until a lost worker's leases are over, then a turn to take, one to give back what is too much, one to take that."""


@dataclass
class Worker:
    """What one process knows: its leases as of its last turn, and what it has ceased to do since."""

    name: str
    held: dict[int, int] = field(default_factory=dict)
    ceased: set[int] = field(default_factory=set)
    is_running: bool = True


@dataclass
class Store:
    """The tables, and who may commit: the check that every commit of a worker begins with."""

    now_ms: int = 1_000_000
    leases: dict[str, Lease] = field(default_factory=dict)
    processes: dict[str, HubProcess] = field(default_factory=dict)
    joined: int = 0

    def turn(self, worker: Worker) -> None:
        heard = HubProcess(worker.name, "intake", "m", 0, self.now_ms, wants_shards=True)
        self.processes[worker.name] = heard
        table = LeaseTable(self.now_ms, dict(self.leases), tuple(self.processes.values()))
        turn = next_turn(table, me=worker.name, held=worker.held, given_back=worker.ceased)
        self.leases |= {lease.name: lease for lease in turn.written}
        worker.held, worker.ceased = dict(turn.held), set(turn.surplus)

    def may_commit(self, worker: Worker, shard: int) -> bool:
        row = self.leases.get(lease_name(shard))
        return row is not None and (row.holder, row.token) == (worker.name, worker.held.get(shard))


EVENTS = st.lists(
    st.tuples(st.sampled_from(["join", "kill", "leave", "pause", "resume", "turn", "wait"]), st.integers(0, 7)),
    max_size=60,
)


def play(store: Store, workers: list[Worker], event: str, number: int) -> None:
    running = [each for each in workers if each.is_running]
    store.now_ms += 300 * (number + 1)
    if event == "join":
        store.joined += 1
        workers.append(Worker(f"w{store.joined}"))
        store.turn(workers[-1])
    elif event == "wait":
        store.now_ms += 4_000 * number
    elif event == "resume" and workers:
        workers[number % len(workers)].is_running = True
    elif running:
        worker = running[number % len(running)]
        if event in ("kill", "pause"):
            worker.is_running = False
        elif event == "leave":
            rows = {row.name: replace(row, holder="", until_ms=0) for row in store.leases.values()}
            store.leases |= {name: row for name, row in rows.items() if store.leases[name].holder == worker.name}
            store.processes.pop(worker.name, None)
            workers.remove(worker)
        else:
            store.turn(worker)


@settings(max_examples=40)
@given(EVENTS)
def test_a_shard_has_one_worker_at_most_whatever_happens(events: list[tuple[str, int]]) -> None:
    store, workers = Store(), [Worker("w0")]
    tokens: dict[str, int] = {}
    for event, number in events:
        play(store, workers, event, number)
        for shard in range(SHARDS):
            assert sum(store.may_commit(worker, shard) for worker in workers) <= 1
        for lease in store.leases.values():
            assert lease.token >= tokens.get(lease.name, 0), "a token never falls"
            tokens[lease.name] = lease.token


@settings(max_examples=40)
@given(EVENTS)
def test_who_is_left_soon_has_all_shards_in_fair_shares(events: list[tuple[str, int]]) -> None:
    store, workers = Store(), [Worker("w0")]
    for event, number in events:
        play(store, workers, event, number)
    left = [each for each in workers if each.is_running] or [Worker("late")]
    for _ in range(ROUNDS_TO_SETTLE):
        for worker in left:
            store.turn(worker)
        store.now_ms += TURN_MS
    holders = [next(w.name for w in left if store.may_commit(w, shard)) for shard in range(SHARDS)]
    assert max(holders.count(worker.name) for worker in left) <= -(-SHARDS // len(left))


@settings(max_examples=40)
@given(EVENTS)
def test_a_worker_keeps_what_it_has_while_nobody_else_changes(events: list[tuple[str, int]]) -> None:
    store, workers = Store(), [Worker("w0")]
    for event, number in events:
        play(store, workers, event, number)
    left = [each for each in workers if each.is_running] or [Worker("late")]
    for _ in range(ROUNDS_TO_SETTLE):
        for worker in left:
            store.turn(worker)
        store.now_ms += TURN_MS
    before = {worker.name: dict(worker.held) for worker in left}
    for worker in left:
        store.turn(worker)
    assert {worker.name: worker.held for worker in left} == before


def test_a_worker_that_hears_no_broker_has_no_share() -> None:
    deaf = HubProcess("deaf", "intake", "m", 0, 0, wants_shards=False)
    able = HubProcess("able", "intake", "m", 0, 0, wants_shards=True)
    table = LeaseTable(0, {}, (deaf, able))
    assert (fair_share(table, me="deaf"), fair_share(table, me="able")) == (0, SHARDS)
    turn = next_turn(
        LeaseTable(0, {"shard 05": Lease("shard 05", "deaf", 3, 9_000)}, (deaf, able)), me="deaf", held={5: 3}
    )
    assert (turn.held, turn.surplus) == ({5: 3}, frozenset({5})), "it gives up what it has when it has ceased to work"


def test_a_turn_without_an_answer_is_taken_again_with_a_new_token() -> None:
    me = HubProcess("me", "intake", "m", 0, 0, wants_shards=True)
    table = LeaseTable(0, {"shard 05": Lease("shard 05", "me", 3, 10_000)}, (me,))
    assert next_turn(table, me="me", held={}).held[5] == 4


def test_what_is_given_back_is_not_taken_again_at_the_same_turn() -> None:
    """Others have left in between, and this worker has less than its share: it begins the next turn, with its token."""
    me = HubProcess("me", "intake", "m", 0, 0, wants_shards=True)
    table = LeaseTable(0, {"shard 05": Lease("shard 05", "me", 3, 10_000)}, (me,))
    turn = next_turn(table, me="me", held={5: 3}, given_back={5})
    assert turn.held.keys() == set(range(SHARDS)) - {5}
    assert [row for row in turn.written if row.name == "shard 05"] == [Lease("shard 05", "", 3, 0)]


def test_shards_are_found_in_the_names_of_their_leases() -> None:
    assert shards_in([lease_name(0), lease_name(63), "timetable"]) == {0, 63}
