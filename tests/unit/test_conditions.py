"""The merge of conditions: what is stamped, what is kept, what goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model import conditions as c
from integration_hub.model.conditions import MAX_MESSAGE, Condition, merge_conditions, truncated

BEFORE, AFTER = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
TYPES = [c.READY, c.RECONCILING, c.STALLED, c.DELIVERED, *c.DOMAIN_CONDITIONS]

conditions = st.builds(
    Condition,
    type=st.sampled_from(TYPES),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["Connected", "NotFound"]),
    message=st.text(max_size=40),
)
current = st.lists(conditions, max_size=12)
previous = st.lists(
    conditions.map(lambda x: x.model_copy(update={"last_transition_time": BEFORE, "observed_generation": 1})),
    max_size=9,
    unique_by=lambda condition: condition.type,
)


@given(previous=previous, current=current)
def test_the_transition_time_moves_exactly_when_the_status_does(
    previous: list[Condition], current: list[Condition]
) -> None:
    known = {condition.type: condition.status for condition in previous}
    for condition in merge_conditions(previous, current, generation=2, now=AFTER):
        expected = BEFORE if known.get(condition.type) == condition.status else AFTER
        assert condition.last_transition_time == expected


@given(previous=previous, current=current)
def test_a_type_stands_once_and_the_later_word_wins(
    previous: list[Condition], current: list[Condition]
) -> None:
    merged = merge_conditions(previous, current, generation=2, now=AFTER)
    last = {condition.type: condition for condition in current}
    assert len(merged) == len(last)
    assert {x.type: (x.status, x.reason, x.message) for x in merged} == {
        x.type: (x.status, x.reason, x.message) for x in last.values()
    }


@given(previous=previous, current=current, generation=st.integers(1, 10**9))
def test_the_generation_is_stamped_on_every_condition(
    previous: list[Condition], current: list[Condition], generation: int
) -> None:
    merged = merge_conditions(previous, current, generation=generation, now=AFTER)
    assert {condition.observed_generation for condition in merged} <= {generation}


@given(previous=previous, current=current)
def test_merging_the_same_again_later_changes_nothing(
    previous: list[Condition], current: list[Condition]
) -> None:
    once = merge_conditions(previous, current, generation=2, now=AFTER)
    assert merge_conditions(once, current, generation=2, now="2027-01-01T00:00:00Z") == once


def test_a_condition_that_is_no_longer_found_goes() -> None:
    # Reconciling and Stalled exist only while they are True.
    stalled = Condition(type=c.STALLED, status="True", reason="NotFound", last_transition_time=BEFORE)
    ready = Condition(type=c.READY, status="True", reason="Connected")
    assert [x.type for x in merge_conditions([stalled], [ready], generation=1, now=AFTER)] == [c.READY]


def test_a_reason_may_change_without_moving_the_time() -> None:
    old = Condition(type=c.READY, status="False", reason="NotFound", last_transition_time=BEFORE)
    new = Condition(type=c.READY, status="False", reason="ServerError")
    (merged,) = merge_conditions([old], [new], generation=1, now=AFTER)
    assert (merged.reason, merged.last_transition_time) == ("ServerError", BEFORE)


def test_a_previous_condition_without_a_time_gets_one() -> None:
    # Somebody wrote it by hand, or an older version did.
    old = Condition(type=c.READY, status="False", reason="NotFound")
    (merged,) = merge_conditions([old], [old], generation=1, now=AFTER)
    assert merged.last_transition_time == AFTER


@given(st.text(max_size=2 * MAX_MESSAGE))
def test_a_message_is_kept_whole_or_cut_with_an_ellipsis(message: str) -> None:
    cut = truncated(message)
    assert len(cut) <= MAX_MESSAGE
    assert cut == message if len(message) <= MAX_MESSAGE else cut.endswith("…")
    assert message.startswith(cut.removesuffix("…")) or cut == message


def test_a_merged_message_is_cut() -> None:
    long = Condition(type=c.READY, status="False", reason="NotFound", message="x" * 5000)
    (merged,) = merge_conditions([], [long], generation=1, now=AFTER)
    assert len(merged.message) == MAX_MESSAGE
