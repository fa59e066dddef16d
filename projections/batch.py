"""What read models are given: events in a row, sorted out by kind once for all of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter

from domain.event import Event, Recorded

_position = attrgetter("position")


class Batch(tuple[Recorded, ...]):
    """Events in the order of their positions, none missing.

    A read model asks for those that concern it, which are few. Were each to look through all of them, looking would
    take longer than what most of them do.
    """

    @cached_property
    def kinds(self) -> Mapping[str, Sequence[Recorded]]:
        """The events by their topics."""
        found: defaultdict[type[Event], list[Recorded]] = defaultdict(list)
        for one in self:
            found[type(one.event)].append(one)
        return {kind.topic: events for kind, events in found.items()}

    def of(self, *kinds: type[Event] | str) -> Sequence[Recorded]:
        """Those of these kinds, in their order. A kind is named by its topic where it is of another context."""
        topics = [kind if isinstance(kind, str) else kind.topic for kind in kinds]
        found = [self.kinds[topic] for topic in topics if topic in self.kinds]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found), key=_position)
