"""`status`: from the objects of a cluster to what people and programs are told."""

from collections.abc import Mapping
from typing import Any

import pytest

from milvus_embedding.clients.kube.port import Forbidden, NotFound
from milvus_embedding.overview.listing import ListingError, listed
from milvus_embedding.overview.report import as_data, as_text
from milvus_embedding.overview.tree import Tree, tree
from tests.fakes.kube import FakeKube


def ready(reason: str = "Ready", message: str = "", *, stalled: bool = False) -> dict[str, Any]:
    status = "True" if reason == "Ready" else "False"
    conditions = [{"type": "Ready", "status": status, "reason": reason, "message": message}]
    conditions += [{"type": "Stalled", "status": "True", "reason": reason}] if stalled else []
    return {"conditions": conditions, "observedGeneration": 1}


def put(kube: FakeKube, kind: str, name: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> None:
    kube.put(kind, name, spec)["status"] = dict(status)


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube()
    connection = {
        **ready(),
        "endpoint": "http://m:19530",
        "serverVersion": "v2.6.9",
        "config": {"hash": "aa", "deliveredHash": "aa"},
        "labels": [
            {
                "label": "apikey_dev",
                "state": "Active",
                "collections": 2,
                "credential": {"namespace": "ns", "name": "dev"},
            }
        ],
    }
    put(kube, "MilvusConnection", "milvus", {"uri": "http://m:19530"}, connection)
    put(
        kube,
        "EmbeddingCredential",
        "dev",
        {"connectionRef": {"name": "milvus"}, "apiKeySecretRef": {"name": "dev"}},
        {**ready(), "label": "apikey_dev"},
    )
    put(kube, "EmbeddingFunction", "v3", {"dashscope": {"model": "text-embedding-v3"}}, ready())
    spec = {"connectionRef": {"name": "milvus"}, "fields": [{"name": "id", "type": "INT64", "primaryKey": True}]}
    collection = {
        **ready(),
        "collection": {"database": "default", "name": "docs", "id": "1"},
        "functions": [{"name": "ali", "label": "apikey_dev"}],
    }
    put(kube, "MilvusCollection", "docs", spec, collection)
    return kube


async def seen(kube: FakeKube, namespace: str | None = "ns") -> Tree:
    return tree(await listed(kube, namespace))


def text(found: Tree) -> str:
    return as_text(found, lambda told, colour: told)


async def test_everything_hangs_on_its_connection(kube: FakeKube) -> None:
    found = await seen(kube)
    assert (
        text(found)
        == """\
MilvusConnection ns/milvus Ready
    http://m:19530 (Milvus v2.6.9)
    configuration aa, delivered
  label apikey_dev Active of EmbeddingCredential ns/dev, named by 2 collection(s): ns/docs
  EmbeddingCredential ns/dev Ready
      label apikey_dev
  MilvusCollection ns/docs Ready
      default.docs

EmbeddingFunction ns/v3 Ready

4 of 4 Ready."""
    )
    assert found.is_ready


async def test_a_plan_that_waits_comes_with_the_command_that_approves_it(kube: FakeKube) -> None:
    status = ready("AwaitingApproval", "1 difference", stalled=True)
    status["conditions"].append({"type": "PlanApproved", "status": "False", "reason": "AwaitingApproval"})
    step = {"action": "SetProperty", "path": "spec.properties[x]", "class": "Disruptive", "from": "a", "to": "b"}
    status["plan"] = {"hash": "abc", "class": "Disruptive", "approved": False, "steps": [step]}
    spec = {"connectionRef": {"name": "milvus"}, "fields": [{"name": "id", "type": "INT64", "primaryKey": True}]}
    put(kube, "MilvusCollection", "docs", spec, status)
    found = await seen(kube)
    assert not found.is_ready
    assert "MilvusCollection ns/docs AwaitingApproval: 1 difference\n" in text(found)
    assert "plan abc: Disruptive, 1 step\n" in text(found)
    assert "approve it: kubectl -n ns annotate --overwrite mcol docs embedding.milvus.io/approved-plan=abc\n" in text(
        found
    )
    assert text(found).endswith("3 of 4 Ready, 1 need a change by you.")


async def test_a_plan_that_nobody_can_carry_out_any_more_comes_without_a_command(kube: FakeKube) -> None:
    status = ready("ConnectionNotFound", "it is gone", stalled=True)
    status["conditions"].append({"type": "PlanApproved", "status": "False", "reason": "AwaitingApproval"})
    status["plan"] = {"hash": "abc", "class": "Disruptive", "approved": False, "steps": []}
    spec = {"connectionRef": {"name": "milvus"}, "fields": [{"name": "id", "type": "INT64", "primaryKey": True}]}
    put(kube, "MilvusCollection", "docs", spec, status)

    assert "approved-plan" not in text(await seen(kube))


async def test_differences_are_shown_where_the_message_says_see_status(kube: FakeKube) -> None:
    status = ready("NotMatching", "it differs in 10 place(s), see status", stalled=True)
    status["drift"] = [{"path": f"fields[f{n}]", "want": "present"} for n in range(10)]
    spec = {"connectionRef": {"name": "milvus"}, "fields": [{"name": "id", "type": "INT64", "primaryKey": True}]}
    put(kube, "MilvusCollection", "docs", spec, status)

    shown = text(await seen(kube))

    assert "fields[f7]: absent in Milvus, present in the spec\n" in shown
    assert "fields[f8]" not in shown
    assert "and 2 more\n" in shown


async def test_a_rollout_that_waits_is_not_ready_although_the_connection_is(kube: FakeKube) -> None:
    status = {**ready(), "rollout": {"phase": "AwaitingApproval", "hash": "bb"}}
    put(kube, "MilvusConnection", "milvus", {"uri": "http://m:19530"}, status)
    found = await seen(kube)
    assert not found.is_ready
    assert "annotate --overwrite mconn milvus embedding.milvus.io/approved-rollout=bb" in text(found)


async def test_what_nobody_looked_at_is_told(kube: FakeKube) -> None:
    put(kube, "EmbeddingFunction", "v3", {"dashscope": {"model": "text-embedding-v3"}}, {})
    found = await seen(kube)
    assert "EmbeddingFunction ns/v3 NotSeen: no operator has looked at it yet" in text(found)
    assert not found.is_ready


async def test_of_another_namespace_only_a_number_is_told(kube: FakeKube) -> None:
    kube.put("MilvusCollection", "x", {"connectionRef": {"name": "milvus", "namespace": "ns"}, "fields": []})
    found = await seen(kube, "ns")
    [branch] = found.branches
    assert (branch.labels[0].collections, branch.labels[0].users) == (2, ("ns/docs",))


async def test_a_kind_that_may_not_be_listed_leaves_the_others(kube: FakeKube) -> None:
    def fail(verb: str, what: str) -> None:
        if "milvusconnections" in what or "MilvusConnection" in what:
            raise Forbidden("no", 403)

    kube.fail = fail
    found = await seen(kube)
    [told] = found.unseen
    assert told.startswith("you may not list milvusconnections in namespace ns: ask for the verb list on ")
    assert text(found).startswith("MilvusConnection ns/milvus (not among what is listed)\n")


@pytest.mark.parametrize(
    ("error", "namespace", "told"),
    [
        pytest.param(
            Forbidden("no", 403), None, "you may not list milvusconnections in all namespaces", id="nothing at all"
        ),
        pytest.param(NotFound("no", 404), "ns", "install the CRDs", id="kinds that are not served"),
    ],
)
async def test_nothing_to_be_shown_is_one_sentence(
    kube: FakeKube, error: Exception, namespace: str | None, told: str
) -> None:
    def fail(verb: str, what: str) -> None:
        raise error

    kube.fail = fail
    with pytest.raises(ListingError, match=told):
        await listed(kube, namespace)


async def test_programs_get_the_same(kube: FakeKube) -> None:
    data = as_data(await seen(kube))
    connections: Any = data["connections"]
    assert connections[0]["labels"] == [
        {
            "label": "apikey_dev",
            "state": "Active",
            "credential": "ns/dev",
            "collections": 2,
            "users": ["ns/docs"],
        }
    ]
    assert data["ready"] is True
