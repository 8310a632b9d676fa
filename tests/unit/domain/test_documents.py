"""What pods may have is never taken for more than it is, and a normal roll comes out as delivered."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.delivery.running import Running
from milvus_embedding.domain.delivery.workload import Pod
from milvus_embedding.domain.rendering.documents import (
    MOST,
    Document,
    Documents,
    agree,
    digest,
    followed_by,
    forgetting,
    possible,
    renamed,
    strays,
    target,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTLE = timedelta(seconds=15)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def content(hash_: str, seconds: float, until: float | None = None, **digests: str) -> Document:
    replaced = None if until is None else at(until)
    return Document(hash=hash_, written=at(seconds), digests=digests, replaced=replaced)


def pod(seconds: float, hash_: str | None = "H2", name: str = "p", started: float | None = None) -> Pod:
    return Pod(name=name, created=at(seconds), config_hash=hash_, started=None if started is None else at(started))


def test_a_digest_tells_values_apart_and_nothing_about_them() -> None:
    one = digest("sk-1", owner_id="o", connection="n/c")

    assert len(one) == 16
    assert one == digest("sk-1", owner_id="o", connection="n/c")
    assert one not in {digest("sk-2", owner_id="o", connection="n/c"), digest("sk-1", owner_id="p", connection="n/c")}


def holds(found: Pod, label: str, value: str, documents: Documents) -> bool | None:
    """Whether the pod has it, whichever of the possible contents it has. None: not known."""
    contents = possible(found, documents, SETTLE)
    return None if contents is None else agree(contents, label, value)


TWO = (content("H1", 0, 1000, dev="old", prod="p"), content("H2", 1000, dev="new", prod="p"))
HOLDS: dict[str, tuple[Pod, bool | None]] = {
    "a pod of a normal roll has the new value": (pod(1015), True),
    "a pod that was there before has the old one": (pod(500, "H1"), False),
    "a pod that started before the new one settled may have the old one": (pod(1014), False),
    "a pod that started just before the writing may have either": (pod(990, "H1"), False),
    "a pod that bears the former hash and started long after has what is there": (pod(1100, "H1"), True),
    "a pod whose container was started again may have either": (pod(500, "H1", started=1200), False),
    "a pod older than all that is remembered has what it bears": (pod(-500), True),
    "of a pod that bears nothing nothing is known": (pod(1100, None), None),
    "of a pod that bears something unknown nothing is known": (pod(1100, "H9"), None),
}


@pytest.mark.parametrize("sentence", HOLDS)
def test_what_a_pod_has(sentence: str) -> None:
    found, expected = HOLDS[sentence]

    assert holds(found, "dev", "new", TWO) is expected


def test_contents_that_agree_about_a_label_do_no_harm() -> None:
    assert holds(pod(1001), "prod", "p", TWO) is True


def test_what_was_forgotten_is_not_known() -> None:
    documents = (content("H1", 0, 100, dev="old"), content("H2", 1000, dev="new"))

    assert possible(pod(500, "H1"), documents, SETTLE) is None
    assert possible(pod(990, "H1"), documents, SETTLE) is None
    assert possible(pod(1016), documents, SETTLE) is not None


def test_without_documents_nothing_is_known() -> None:
    assert possible(pod(0), (), SETTLE) is None


def test_four_contents_are_kept_and_those_that_pods_and_workloads_bear() -> None:
    documents: Documents = ()
    for number in range(10):
        documents = followed_by(documents, content(f"H{number}", 100 * number), None, SETTLE)
    running = Running(annotated=frozenset({"H1"}), pods=(pod(350, "H3"),))

    assert [d.hash for d in documents] == [f"H{number}" for number in range(10)]
    assert [d.hash for d in forgetting(documents, running, SETTLE)] == ["H1", "H3", "H6", "H7", "H8", "H9"]
    assert [d.replaced for d in forgetting(documents, running, SETTLE)][-2:] == [at(900), None]


def test_while_no_pods_are_seen_only_so_many_are_kept() -> None:
    documents: Documents = ()
    for number in range(MOST + 5):
        documents = followed_by(documents, content(f"H{number}", 100 * number), None, SETTLE)

    assert len(documents) == MOST


def test_the_same_content_is_no_further_one() -> None:
    once = followed_by((), content("H1", 0, dev="a"), None, SETTLE)

    assert followed_by(once, content("H1", 50, dev="a"), None, SETTLE) == once


FEWER, PRESENT = content("H2", 1000, dev="a"), frozenset({"H1"})
FORMER = content("H1", 0, 1000, dev="a", prod="p")
TARGETS: dict[str, tuple[Document, Document, frozenset[str], str | None, str]] = {
    "with labels removed only the former hash stays": (FORMER, FEWER, PRESENT, "H1", "H1"),
    "another value is another hash": (FORMER, content("H2", 1000, dev="b"), PRESENT, "H1", "H2"),
    "another url is another hash": (FORMER, replace(FEWER, url="https://x"), PRESENT, "H1", "H2"),
    "another default is another hash": (FORMER, replace(FEWER, default="dev"), PRESENT, "H1", "H2"),
    "what workloads do not bear yet does not hold it up": (FORMER, FEWER, frozenset(), "H1", "H2"),
    "what workloads bear already stays": (FORMER, FEWER, frozenset({"H1", "H2"}), "H1", "H2"),
}


@pytest.mark.parametrize("sentence", TARGETS)
def test_the_hash_that_pods_should_bear(sentence: str) -> None:
    former, present, annotated, before, expected = TARGETS[sentence]

    assert target((former, present), present, Running(annotated=annotated), before, before) == expected


def test_while_nothing_is_seen_the_former_target_counts_as_borne() -> None:
    assert target((FORMER, FEWER), FEWER, None, "H1", "H1") == "H1"


def test_a_lost_secret_with_the_same_content_keeps_the_former_target() -> None:
    assert target((FEWER,), FEWER, Running(annotated=PRESENT), "H1", "H2") == "H1"


def test_a_pod_that_bears_the_hash_and_may_have_something_else_is_astray() -> None:
    flapped = (
        content("H1", 0, 100, dev="a"),
        content("H2", 100, 200, dev="b"),
        content("H1", 200, dev="a"),
    )
    pods = [pod(50, "H1", "good"), pod(150, "H1", "evicted"), pod(300, "H1", "late"), pod(150, "H2", "other")]

    assert list(strays(flapped, flapped[-1], "H1", pods, SETTLE)) == ["evicted"]


def test_a_pod_with_labels_more_is_not_astray() -> None:
    assert list(strays((FORMER, FEWER), FEWER, "H1", [pod(500, "H1")], SETTLE)) == []


ASTRAY = Running(annotated=frozenset({"H1"}), pods=(pod(150, "H1", "evicted"),))
FLAPPED = (content("H1", 0, 100, dev="a"), content("H2", 100, 200, dev="b"), content("H1", 200, dev="a"))
UNCHANGED: dict[str, tuple[Running | None, str]] = {
    "nothing is seen": (None, "H1"),
    "no pod is astray": (replace(ASTRAY, pods=(pod(300, "H1"),)), "H1"),
    "another roll is due anyway": (replace(ASTRAY, annotated=frozenset({"H1", "H9"})), "H1"),
    "nothing bears the hash": (replace(ASTRAY, annotated=frozenset()), "H1"),
}


@pytest.mark.parametrize("sentence", UNCHANGED)
def test_the_content_keeps_its_hash_as(sentence: str) -> None:
    running, hash_ = UNCHANGED[sentence]

    assert renamed(FLAPPED, hash_, running, SETTLE) == FLAPPED


def test_pods_astray_that_no_roll_would_replace_are_rolled_once_to_another_hash() -> None:
    documents = renamed(FLAPPED, "H1", ASTRAY, SETTLE)
    alias = target(documents, documents[-1], ASTRAY, "H1", "H1")
    rolled = Running(annotated=frozenset({alias}), pods=(pod(300, alias),))
    astray_again = replace(rolled, pods=(pod(150, alias),))

    assert alias not in ("H1", "H2")
    assert documents == renamed(FLAPPED, "H1", ASTRAY, SETTLE), "always the same one"
    assert possible(pod(300, alias), documents, SETTLE) == documents[-1:]
    assert target(documents, documents[-1], rolled, alias, "H1") == alias
    assert renamed(documents, alias, astray_again, SETTLE) == documents, "once for each content that is written"


def test_a_content_that_comes_back_keeps_the_other_hash_that_workloads_bear() -> None:
    former = replace(content("H1", 0, 100, dev="a"), alias="H1b")
    documents = (former, content("H2", 100, 200, dev="b"), content("H1", 200, dev="a"))

    assert target(documents, documents[-1], Running(annotated=frozenset({"H1b"})), "H2", "H2") == "H1b"


def test_without_the_secret_the_status_keeps_the_other_hash() -> None:
    lost = (replace(content("H1", 500, 500, dev="a"), hash="H1b"), content("H1", 500, dev="a"))
    running = Running(annotated=frozenset({"H1b"}), pods=(pod(300, "H1b"),))

    assert target(lost, lost[-1], running, "H1b", "H1") == "H1b"
    assert list(strays(lost, lost[-1], "H1b", running.pods, SETTLE)) == []


def test_a_pod_that_may_have_what_nobody_knows_is_not_taken_for_good() -> None:
    documents = (replace(content("", 100, 500)), content("H1", 500, dev="a"))

    assert holds(pod(50, "H1"), "dev", "a", documents) is True
    assert holds(pod(300, "H1"), "dev", "a", documents) is False


@dataclass
class Cluster:
    """A Secret, a workload's annotation and pods, each of which reads the Secret within the settle time."""

    now: int = 0
    annotation: str = "A"
    writes: list[tuple[int, str]] = field(default_factory=lambda: [(0, "A")])
    documents: Documents = (content("A", 0, dev="A"),)
    pods: dict[str, tuple[Pod, int]] = field(default_factory=dict)

    def write(self, value: str) -> None:
        if value != self.writes[-1][1]:
            self.writes.append((self.now, value))
            self.documents = followed_by(self.documents, content(value, self.now, dev=value), self.running, SETTLE)

    def start(self, delay: int) -> None:
        name = f"p{len(self.pods)}"
        self.pods[name] = (pod(self.now, self.annotation, name), self.now + delay)

    @property
    def running(self) -> Running:
        return Running(annotated=frozenset({self.annotation}), pods=tuple(pod for pod, _ in self.pods.values()))

    def truth(self, name: str) -> str:
        """What the pod has, or will have read by now."""
        return [value for moment, value in self.writes if moment <= self.pods[name][1]][-1]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(
            st.sampled_from(["A", "B", "C"]).map(lambda value: ("write", value)),
            st.integers(0, 15).map(lambda delay: ("start", delay)),
            st.just(("annotate", 0)),
        ),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_pod_is_ever_said_to_have_what_it_has_not(steps: list[tuple[int, tuple[str, str | int]]]) -> None:
    cluster = Cluster()
    for seconds, (what, argument) in steps:
        cluster.now += seconds
        if what == "write":
            cluster.write(str(argument))
        elif what == "start":
            cluster.start(int(argument))
        else:
            cluster.annotation = cluster.writes[-1][1]
        value = cluster.writes[-1][1]
        for name, (found, read_at) in cluster.pods.items():
            if read_at <= cluster.now and holds(found, "dev", value, cluster.documents):
                assert cluster.truth(name) == value


@given(st.lists(st.sampled_from(["A", "B", "C"]), max_size=20))
def test_a_roll_after_the_settle_time_is_always_seen_to_be_delivered(values: list[str]) -> None:
    cluster = Cluster()
    for value in values:
        cluster.now += 5
        cluster.write(value)
    cluster.now += 15
    cluster.annotation = cluster.writes[-1][1]
    cluster.start(0)

    assert holds(cluster.pods["p0"][0], "dev", cluster.annotation, cluster.documents) is True
