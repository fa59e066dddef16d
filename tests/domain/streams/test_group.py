from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hypothesis import given as drawn
from hypothesis import strategies as st

from domain.event import Event
from domain.streams.consumer import NotRegisteredError
from domain.streams.group import (
    GROUP,
    AnotherReaderError,
    Assignment,
    Delivery,
    DeliveryUnsettledError,
    Group,
    GroupNotFoundError,
    Mark,
    MemberJoined,
    MemberLeft,
    MessagesDelivered,
    MessagesReturned,
    NotReadError,
    Outcome,
    PartitionsAssigned,
    PartitionsTakenOver,
    PositionMovedError,
    PositionsCommitted,
    PositionsSought,
    ReadingBegun,
    assignments,
    commit,
    join,
    leave,
    owned,
    poll,
    seek,
)
from domain.streams.partition import START, Offsets
from tests.domain.specification import given

FIRST, SECOND = UUID(int=1), UUID(int=2)
ARRIVED = Outcome(id=FIRST, arrived=True)
LOST = Outcome(id=FIRST, arrived=False)
STARTS = {"t": (START,) * 4, "u": (START,) * 4}


def at(offset: int) -> Offsets:
    return Offsets(offset=offset, entries=offset)


def joined(id: str, *topics: str) -> MemberJoined:
    return MemberJoined(group="g", consumer_id=id, topics=topics or ("t",))


def assigned(**partitions: Sequence[int]) -> PartitionsAssigned:
    return PartitionsAssigned(
        group="g",
        assignments=tuple(Assignment(consumer_id=id, partitions=tuple(mine)) for id, mine in partitions.items()),
    )


def delivered(consumer_id: str, partition: int, start: int, until: int, id: UUID = FIRST) -> MessagesDelivered:
    return MessagesDelivered(id=id, group="g", consumer_id=consumer_id, deliveries=(handed(partition, start, until),))


def handed(partition: int, start: int, until: int) -> Delivery:
    return Delivery(name="t", partition=partition, start=at(start), until=at(until))


def marks(*places: tuple[int, int]) -> tuple[Mark, ...]:
    return tuple(Mark(name="t", partition=partition, at=at(offset)) for partition, offset in places)


BEGUN = ReadingBegun(group="g", name="t", starts=(START,) * 4)
ALONE = given(GROUP, joined("a"), BEGUN, assigned(a=(0, 1, 2, 3)))
READING = ALONE.and_then(delivered("a", 1, 0, 5))
BOTH = (joined("b"), assigned(a=(0, 2), b=(1, 3)))


def positions(group: Group | None, id: str, outcome: Outcome | None = None) -> dict[int, int]:
    assert group is not None
    return {partition: line.next_for(id, outcome).offset for _, partition, line in owned(group, id)}


def test_the_first_member_begins_the_topic_and_has_all_partitions() -> None:
    given(GROUP).when(lambda group: join(group, "g", "a", ("t",), STARTS)).then(
        joined("a"), BEGUN, assigned(a=(0, 1, 2, 3))
    )


def test_members_take_turns_in_the_order_of_group_and_consumer() -> None:
    assert assignments("g", ["b", "a"], 4) == {"a": (0, 2), "b": (1, 3)}
    assert assignments("g", list("abcde"), 4)["e"] == ()
    ALONE.when(lambda group: join(group, "g", "b", ("t",), STARTS)).then(*BOTH)


def test_each_member_reads_every_topic_that_any_of_them_asked_for() -> None:
    group = given(GROUP, *join(None, "g", "a", ("t",), STARTS))
    both = group.and_then(*join(group.state, "g", "b", ("u",), STARTS)).state
    assert both is not None
    assert [(name, partition) for name, partition, _ in owned(both, "b")] == [("t", 1), ("t", 3), ("u", 1), ("u", 3)]


def test_what_is_handed_out_is_committed_by_the_next_poll() -> None:
    ALONE.when(lambda group: poll(group, "a", None, SECOND, ())).then_nothing()
    READING.when(lambda group: poll(group, "a", ARRIVED, SECOND, ())).then(
        PositionsCommitted(group="g", consumer_id="a", marks=marks((1, 5)))
    )
    events = poll(READING.state, "a", ARRIVED, SECOND, (handed(1, 5, 9),))
    assert list(events) == [
        PositionsCommitted(group="g", consumer_id="a", marks=marks((1, 5))),
        delivered("a", 1, 5, 9, SECOND),
    ]


def test_two_polls_at_once_do_not_hand_out_the_same() -> None:
    READING.when(lambda group: poll(group, "a", ARRIVED, SECOND, (handed(1, 0, 5),))).then_refused(
        PositionMovedError, "streams.position_moved"
    )


def test_what_a_member_does_not_have_is_not_handed_to_it() -> None:
    READING.and_then(*BOTH).when(lambda group: poll(group, "a", None, SECOND, (handed(1, 5, 9),))).then_refused(
        PositionMovedError, "streams.position_moved"
    )


def test_who_is_no_member_reads_nothing() -> None:
    ALONE.when(lambda group: poll(group, "z", None, SECOND, ())).then_refused(
        NotRegisteredError, "streams.consumer_not_registered"
    )
    given(GROUP).when(lambda group: commit(group, "a", None)).then_refused(
        NotRegisteredError, "streams.consumer_not_registered"
    )


def test_a_partition_that_is_given_away_is_rewound_to_what_was_committed() -> None:
    shared = READING.and_then(*BOTH)
    assert positions(shared.state, "b") == {1: 0, 3: 0}
    taken = PartitionsTakenOver(group="g", consumer_id="b", marks=(Mark(name="t", partition=1, at=START),))
    shared.when(lambda group: poll(group, "b", None, SECOND, ())).then(taken)
    shared.and_then(taken).when(lambda group: commit(group, "b", None)).then_nothing()


def test_who_took_over_cannot_commit_before_it_has_read() -> None:
    READING.and_then(*BOTH).when(lambda group: commit(group, "b", None)).then_refused(
        AnotherReaderError, "streams.another_reader"
    )


def test_who_keeps_a_partition_goes_on_where_it_was() -> None:
    reading = ALONE.and_then(delivered("a", 0, 0, 5), *BOTH)
    assert positions(reading.state, "a", ARRIVED) == {0: 5, 2: 0}
    reading.when(lambda group: commit(group, "a", ARRIVED)).then(
        PositionsCommitted(group="g", consumer_id="a", marks=marks((0, 5)))
    )


def test_goodbye_commits_and_hands_over_at_once() -> None:
    shared = given(GROUP, joined("a"), BEGUN, assigned(a=(0, 1, 2, 3)), *BOTH, delivered("a", 0, 0, 5))
    shared.when(lambda group: leave(group, "a", "goodbye", commit=True, outcome=ARRIVED)).then(
        PositionsCommitted(group="g", consumer_id="a", marks=marks((0, 5))),
        MemberLeft(group="g", consumer_id="a", why="goodbye"),
        assigned(b=(0, 1, 2, 3)),
    )


def test_goodbye_without_commit_gives_back_what_was_handed_out() -> None:
    gone = READING.and_then(*leave(READING.state, "a", "goodbye", commit=False))
    again = gone.and_then(*join(gone.state, "g", "a", ("t",), STARTS))
    assert positions(again.state, "a") == {0: 0, 1: 0, 2: 0, 3: 0}


def test_who_comes_back_under_its_id_after_it_expired_goes_on_where_it_was() -> None:
    gone = READING.and_then(*leave(READING.state, "a", "expired", commit=False))
    assert positions(gone.and_then(*join(gone.state, "g", "a", ("t",), STARTS)).state, "a", ARRIVED)[1] == 5
    assert positions(gone.and_then(*join(gone.state, "g", "b", ("t",), STARTS)).state, "b")[1] == 0


def test_a_known_group_goes_on_from_its_positions_whatever_is_asked() -> None:
    gone = READING.and_then(*leave(READING.state, "a", "goodbye", commit=True, outcome=ARRIVED))
    later = {"t": (at(100),) * 4}
    assert positions(gone.and_then(*join(gone.state, "g", "c", ("t",), later)).state, "c")[1] == 5


def test_what_never_reached_the_consumer_comes_next_again() -> None:
    returned = MessagesReturned(group="g", consumer_id="a", marks=marks((1, 0)))
    READING.when(lambda group: poll(group, "a", LOST, SECOND, ())).then(returned)
    events = poll(READING.state, "a", LOST, SECOND, (handed(1, 0, 3),))
    assert list(events) == [returned, delivered("a", 1, 0, 3, SECOND)]
    READING.when(lambda group: commit(group, "a", LOST)).then(returned)
    assert leave(READING.state, "a", "goodbye", commit=True, outcome=LOST)[0] == returned
    assert positions(READING.and_then(returned).state, "a")[1] == 0
    READING.and_then(returned).when(lambda group: poll(group, "a", None, SECOND, ())).then_nothing()


def test_nothing_is_committed_before_it_is_known_whether_it_arrived() -> None:
    for outcome in (None, Outcome(id=SECOND, arrived=True)):
        for ask in (
            lambda group, outcome=outcome: poll(group, "a", outcome, SECOND, ()),
            lambda group, outcome=outcome: commit(group, "a", outcome),
            lambda group, outcome=outcome: leave(group, "a", "goodbye", commit=True, outcome=outcome),
        ):
            READING.when(ask).then_refused(DeliveryUnsettledError, "streams.delivery_unsettled")
    READING.when(
        lambda group: leave(group, "a", "goodbye", commit=True, outcome=Outcome(id=SECOND, arrived=True))
    ).then_refused(DeliveryUnsettledError, "streams.delivery_unsettled")


def test_what_was_lost_of_a_topic_that_nobody_asks_for_any_more_is_returned_too() -> None:
    both = given(GROUP, *join(None, "g", "a", ("t",), STARTS))
    both = both.and_then(*join(both.state, "g", "b", ("u",), STARTS))
    of_each = tuple(Delivery(name=name, partition=0, start=START, until=at(3)) for name in ("t", "u"))
    handed_out = both.and_then(*poll(both.state, "a", None, FIRST, of_each))
    left = handed_out.and_then(*leave(handed_out.state, "b", "goodbye", commit=True, outcome=ARRIVED))
    (returned,) = poll(left.state, "a", LOST, SECOND, ())
    assert isinstance(returned, MessagesReturned)
    assert [mark.name for mark in returned.marks] == ["t", "u"]


def test_seeking_forgets_what_was_handed_out() -> None:
    sought = PositionsSought(group="g", marks=marks((1, 2)))
    assert list(seek(READING.state, marks((1, 2)))) == [sought]
    READING.and_then(sought).when(lambda group: commit(group, "a", None)).then_nothing()
    assert positions(READING.and_then(sought).state, "a")[1] == 2
    given(GROUP).when(lambda group: seek(group, ())).then_refused(GroupNotFoundError, "streams.group_not_found")
    ALONE.when(lambda group: seek(group, marks((4, 0)))).then_refused(NotReadError, "streams.topic_not_read")


IDS = st.sampled_from(["a", "b", "c"])
STEPS = st.one_of(
    st.tuples(st.just("join"), IDS, st.just(True)),
    st.tuples(st.just("poll"), IDS, st.booleans()),
    st.tuples(st.just("commit"), IDS, st.just(True)),
    st.tuples(st.sampled_from(["goodbye", "expired"]), IDS, st.just(True)),
)


@drawn(steps=st.lists(STEPS, max_size=40))
def test_whatever_members_do_nothing_is_passed_over_and_every_partition_has_one_owner(
    steps: list[tuple[str, str, bool]],
) -> None:
    """Each poll hands out three messages of each partition, and some answers are lost. What is committed never reaches
    beyond what somebody has got, in order, so that nobody misses a message."""
    group: Group | None = None
    got = dict.fromkeys(range(4), 0)  # so many messages of each partition have arrived at somebody
    arrived: dict[UUID, bool] = {}

    def record(events: Sequence[Event]) -> None:
        nonlocal group
        group = GROUP.fold(events, group)

    for number, (step, id, arrives) in enumerate(steps):
        if step == "join":
            record(join(group, "g", id, ("t",), STARTS))
        elif group is None or id not in group.members:
            continue
        elif step == "poll":
            delivery, outcome = UUID(int=number), _outcome(group, id, arrived)
            deliveries = []
            for name, partition, line in owned(group, id):
                start = line.next_for(id, outcome)
                assert start.offset <= got[partition], "nothing is passed over"
                until = at(start.offset + 3)
                if arrives:
                    got[partition] = max(got[partition], until.offset)
                deliveries.append(Delivery(name=name, partition=partition, start=start, until=until))
            record(poll(group, id, outcome, delivery, deliveries))
            arrived[delivery] = arrives
        elif step == "commit":
            record(_unless_refused(group, id, _outcome(group, id, arrived)))
        elif step == "goodbye":
            record(leave(group, id, "goodbye", commit=True, outcome=_outcome(group, id, arrived)))
        else:
            record(leave(group, id, "expired", commit=False))
        if group is not None and group.members:
            owners = sorted(partition for mine in group.partitions.values() for partition in mine)
            assert owners == [0, 1, 2, 3]
        for partition, line in enumerate(group.lines["t"] if group else ()):
            assert line.committed.offset <= got[partition]


def _outcome(group: Group, id: str, arrived: dict[UUID, bool]) -> Outcome | None:
    unsettled = group.unsettled(id)
    return None if unsettled is None else Outcome(id=unsettled, arrived=arrived[unsettled])


def _unless_refused(group: Group, id: str, outcome: Outcome | None) -> Any:
    try:
        return commit(group, id, outcome)
    except AnotherReaderError:
        return ()
