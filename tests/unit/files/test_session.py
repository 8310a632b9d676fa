"""When a run over files is over."""

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Note
from milvus_embedding.domain.reasons import Reason, ReasonClass
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.kube import FileKube
from milvus_embedding.files.manifests import sort
from milvus_embedding.files.report import as_data, table
from milvus_embedding.files.session import HOPELESS, Difference, Result, Session, results
from milvus_embedding.validation.documents import load_text

FUNCTION = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: EmbeddingFunction
metadata: {name: f}
spec: {dashscope: {model: text-embedding-v3}}
"""
COLLECTION = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: MilvusCollection
metadata: {name: c}
spec:
  connectionRef: {name: missing}
  fields: [{name: id, type: INT64, primaryKey: true}, {name: v, type: FLOAT_VECTOR, dim: 8}]
"""


def result(status: str, reason: str, *, stalled: bool = False) -> Result:
    return Result(key=Key("MilvusCollection", "n", "c"), status=status, reason=reason, message="", stalled=stalled)


@pytest.mark.parametrize(
    ("outcome", "is_final"),
    [
        pytest.param(result("True", "Ready"), True, id="what is Ready is over"),
        pytest.param(result("False", "KeyRejected", stalled=True), True, id="what waits for its user is over"),
        pytest.param(result("False", "SecretNotFound"), True, id="what waits for another manifest is over"),
        pytest.param(result("False", "Unreachable"), False, id="a Milvus that does not answer may come"),
        pytest.param(result("False", "Creating"), False, id="what is under way is not over"),
        pytest.param(result("Unknown", ""), False, id="what nobody has looked at is not over"),
    ],
)
def test_what_is_waited_for(outcome: Result, is_final: bool) -> None:
    assert outcome.is_final is is_final


def test_only_reasons_that_a_cluster_would_wait_for_are_listed_as_hopeless() -> None:
    assert {reason.kind for reason in HOPELESS - {Reason.PAUSED}} == {ReasonClass.WAITING}


async def test_a_run_ends_by_itself_and_tells_every_change_once() -> None:
    manifests, _ = sort(load_text(f"{FUNCTION}---\n{COLLECTION}", "a.yaml")[0])
    kube, told = FileKube(manifests), list[tuple[str, str]]()

    def report(key: Key, note: Note) -> None:
        told.append((key.kind, note.reason))

    ended = await Session(kube, Scrubber(), report=report).run(30)
    expected = [("EmbeddingFunction", "Ready"), ("MilvusCollection", "ConnectionNotFound")]
    assert [(r.key.kind, r.reason) for r in ended] == expected
    assert sorted(told) == expected


def test_what_differs_in_milvus_is_shown_below_the_table_and_in_json() -> None:
    drift = (
        Difference(path="fields[a].maxLength", want="2", have="1"),
        Difference(path="aliases[b]", want="", have="b"),
    )
    outcome = Result(key=Key("K", "n", "a"), status="False", reason="R", message="m", stalled=True, drift=drift)
    assert table([outcome]).splitlines()[2:] == [
        "",
        "status.drift of K n/a:",
        "  fields[a].maxLength: declared 2, in Milvus 1",
        "  aliases[b]: declared nothing, in Milvus b",
    ]
    (listed,) = as_data([outcome])
    assert listed["drift"] == [
        {"path": "fields[a].maxLength", "want": "2", "have": "1"},
        {"path": "aliases[b]", "want": "", "have": "b"},
    ]


def test_the_drift_of_a_status_is_read() -> None:
    manifests, _ = sort(load_text(f"{COLLECTION}", "a.yaml")[0])
    kube = FileKube(manifests)
    (key,) = kube.objects()
    status = {"drift": [{"path": "dim", "want": "8", "have": "9"}, {"path": "x", "want": "1"}]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kube, "objects", lambda: {key: {"status": status}})
        (outcome,) = results(kube)
    assert outcome.drift == (Difference(path="dim", want="8", have="9"), Difference(path="x", want="1", have=""))


def test_before_a_run_nothing_is_known() -> None:
    manifests, _ = sort(load_text(FUNCTION, "a.yaml")[0])
    (outcome,) = results(FileKube(manifests))
    assert (outcome.status, outcome.reason, outcome.is_ready) == ("Unknown", "", False)


def test_the_table_is_aligned_and_cuts_no_message() -> None:
    long = "m" * 300
    rows = table([Result(key=Key("K", "n", "a"), status="False", reason="R", message=long, stalled=True)]).splitlines()
    assert rows == ["KIND  NAME  READY  REASON  MESSAGE", f"K     n/a   False  R       {long}"]
