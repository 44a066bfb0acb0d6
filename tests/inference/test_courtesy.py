"""How many requests batch has at a server that others use as well."""

from inference.courtesy import Courtesy, Look

WINDOW = 8


class Shared:
    """A server whose counts a test makes up, a look at a time."""

    def __init__(self) -> None:
        self.subject = Courtesy(queue_s=0.005)
        self.requests = self.sent = 0
        self.queue_s = 0.0
        self.look()

    def look(self, *, ours: int = 0, others: int = 0, each_waits_s: float = 0.0) -> int | None:
        """Let so many requests be answered, look, and return the ceiling."""
        self.sent += ours
        self.requests += ours + others
        self.queue_s += (ours + others) * each_waits_s
        outstanding = min(ours, self.subject.ceiling or WINDOW)
        seen = Look(self.requests, self.queue_s, self.sent, outstanding, self.sent)
        self.subject.note(seen, window=WINDOW)
        return self.subject.ceiling


def test_alone_batch_does_all_it_can() -> None:
    """However long its own requests wait for each other."""
    server = Shared()
    assert {server.look(ours=40, each_waits_s=1.0) for _ in range(20)} == {None}


def test_while_others_wait_it_has_half_as_much_each_time_then_one() -> None:
    """It never stops altogether, and stays there while they come."""
    server = Shared()
    server.look(ours=40, each_waits_s=0.1)
    ceilings = [server.look(ours=40, others=20, each_waits_s=0.1) for _ in range(5)]
    assert ceilings == [4, 2, 1, 1, 1]
    assert {server.look(ours=10, others=20, each_waits_s=0.001) for _ in range(9)} == {1}


def test_others_who_do_not_wait_cost_nothing() -> None:
    """There is room for both."""
    server = Shared()
    assert {server.look(ours=40, others=20, each_waits_s=0.001) for _ in range(9)} == {None}


def test_when_others_have_gone_it_takes_all_again() -> None:
    """One more with each look, after four seconds that are quiet."""
    server = Shared()
    server.look(ours=40, each_waits_s=0.1)
    for _ in range(3):
        server.look(ours=40, others=20, each_waits_s=0.1)
    ceilings = [server.look(ours=10) for _ in range(17)]
    assert ceilings == [1] * 8 + [2, 3, 4, 5, 6, 7, 8, None, None]


def test_what_the_server_counts_late_is_not_taken_for_others() -> None:
    """Requests that were in flight at the look before are batch's own."""
    server = Shared()
    server.sent, server.subject = 8, Courtesy(queue_s=0.005)
    server.subject.note(Look(0, 0.0, 8, 8, 8), window=WINDOW)
    server.subject.note(Look(10, 9.0, 8, 0, 8), window=WINDOW)
    assert server.subject.ceiling is None


def test_a_server_that_was_started_anew_is_not_compared() -> None:
    """Its counts begin at nothing."""
    server = Shared()
    server.look(ours=40, others=20, each_waits_s=0.1)
    server.subject.ceiling = None
    server.requests, server.queue_s = 0, 0.0
    assert server.look(ours=3, each_waits_s=1.0) is None
