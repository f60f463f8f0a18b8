"""Which of the streams that answer is opened: the one that is meant, or none."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pylsl
import pytest

from rtbci.errors import StreamNotFound
from rtbci.lsl import discovery
from rtbci.lsl.discovery import StreamSearch


@dataclass
class Answer:
    """What liblsl says of a stream that answers."""

    uid_: str
    source: str = "one"
    host: str = "amp-1"
    kind: str = "EEG"

    def uid(self) -> str:
        return self.uid_

    def source_id(self) -> str:
        return self.source

    def hostname(self) -> str:
        return self.host

    def name(self) -> str:
        return "EEG"

    def type(self) -> str:
        return self.kind

    def channel_count(self) -> int:
        return 5

    def nominal_srate(self) -> float:
        return 200.0

    def channel_format(self) -> int:
        return int(pylsl.cf_float32)


class Network:
    """Who answers, and what time it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.answers: list[Answer] = []
        monkeypatch.setattr(discovery, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.search = StreamSearch({"name": "EEG"})
        self.search._resolver = SimpleNamespace(results=lambda: self.answers)

    def chosen(self, after_s: float = 0.0) -> str | None:
        """The uid that is chosen, asked now and after a while."""
        self.search.choose()
        self.now += after_s
        stream = self.search.choose()
        return stream.uid() if stream is not None else None


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    network = Network(monkeypatch)
    yield network
    network.search.close()


def test_the_first_to_answer_waits_until_others_may_have_answered(network: Network) -> None:
    network.answers = [Answer("a")]
    assert network.chosen(StreamSearch.SETTLE_S - 0.01) is None
    assert network.chosen(0.02) == "a"


def test_who_answers_what_was_not_asked_is_not_heard(network: Network) -> None:
    network.search.query = {"name": "EEG", "hostname": "amp-1"}
    network.answers = [Answer("a"), Answer("b", "two", host="amp-2")]
    assert network.chosen() is None
    assert network.chosen(StreamSearch.SETTLE_S) == "a"


def test_two_sources_are_listed_and_none_is_chosen(network: Network) -> None:
    network.answers = [Answer("a"), Answer("b", "two")]
    with pytest.raises(
        StreamNotFound, match="2 streams match .*source_id=one .*source_id=two .*Choose one by source_id"
    ):
        network.chosen(StreamSearch.SETTLE_S)


def test_a_source_that_answers_twice_is_an_old_and_a_new_life_or_two_programs(network: Network) -> None:
    network.answers = [Answer("a"), Answer("b")]
    assert network.chosen(StreamSearch.SETTLE_S) is None
    with pytest.raises(StreamNotFound, match="2 streams match .* End all but one"):
        network.chosen(StreamSearch.GRACE_S)
    network.answers = [Answer("b")]
    assert network.chosen() == "b"


@pytest.mark.parametrize(
    ("answers", "way_out"),
    [
        ([Answer("a"), Answer("b", kind="ACC")], "Choose one by type=…, as --stream name=EEG,type=EEG"),
        ([Answer("a", kind="GYRO"), Answer("b", kind="ACC")], "Choose one by type=…, as --stream name=EEG,type=…"),
        ([Answer("a"), Answer("b", host="amp-2")], "Choose one by hostname=…, as --stream name=EEG,hostname=…"),
        (
            [Answer("a"), Answer("b", kind="ACC"), Answer("c", "two")],
            "Choose one by type=… and source_id=…, as --stream name=EEG,type=…,source_id=…",
        ),
        ([Answer("a"), Answer("b")], "End all but one, or give each a source id of its own: nothing tells them apart"),
    ],
    ids=["types", "no EEG among them", "hosts", "two of them", "nothing"],
)
def test_the_refusal_names_what_tells_the_streams_apart(network: Network, answers: list[Answer], way_out: str) -> None:
    network.answers = answers
    with pytest.raises(StreamNotFound) as refusal:
        network.chosen(StreamSearch.GRACE_S + 0.1)
    assert str(refusal.value).endswith(way_out)


def test_the_source_that_was_lost_is_taken_at_once_whatever_else_answers(network: Network) -> None:
    network.search.lose(Answer("a"))
    network.answers = [Answer("b", "two"), Answer("c")]
    assert network.chosen() == "c"


def test_what_has_gone_is_not_taken_for_its_return_while_it_is_still_named(network: Network) -> None:
    network.search.lose(Answer("a"))
    network.answers = [Answer("a")]
    assert network.chosen(StreamSearch.FORGET_S) is None
    assert (
        network.chosen(StreamSearch.GRACE_S - StreamSearch.FORGET_S + 0.01) == "a"
    )  # it answers again, so it is there


@pytest.mark.parametrize(
    "other", [Answer("b", "two"), Answer("b", host="amp-2")], ids=["another source id", "another host"]
)
def test_another_source_is_taken_when_it_is_the_only_one(network: Network, other: Answer) -> None:
    network.search.lose(Answer("a"))
    network.answers = [other]
    assert network.chosen() is None
    assert network.chosen(StreamSearch.SETTLE_S) == "b"


def test_what_matched_beside_the_lost_stream_is_no_return_of_it(network: Network) -> None:
    network.answers = [Answer("a"), Answer("b", "two")]
    network.search.note_other_streams(network.answers[0])
    network.search.lose(network.answers[0])
    network.answers = [Answer("b2", "two")]
    with pytest.raises(StreamNotFound, match="not the stream that was lost, but another one that matches too: .*two"):
        network.chosen(StreamSearch.SETTLE_S)
    network.answers.append(Answer("a2"))
    assert network.chosen() == "a2"


def test_of_more_sources_than_are_remembered_none_is_taken_but_the_lost_one(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StreamSearch, "MOST_OTHERS", 100)
    own = Answer("a")
    for k in range(10):
        network.answers = [own, *(Answer(f"{k}-{n}", f"made up {k}-{n}" + "x" * 10_000) for n in range(20))]
        network.search.note_other_streams(own)
    assert len(network.search._other_sources) == 100
    network.search.lose(own)
    network.answers = [Answer("b", "never seen")]
    with pytest.raises(StreamNotFound, match="not the stream that was lost"):
        network.chosen(StreamSearch.SETTLE_S)
    network.answers = [Answer("a2")]
    assert network.chosen(StreamSearch.SETTLE_S) == "a2"


def test_a_life_that_was_refused_is_not_offered_again_and_its_next_one_is(network: Network) -> None:
    network.answers = [Answer("a")]
    network.search.refuse(network.answers[0])
    assert network.chosen(StreamSearch.SETTLE_S) is None
    network.answers = [Answer("b")]
    assert network.chosen(StreamSearch.SETTLE_S) == "b"
