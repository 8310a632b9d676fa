"""What a tenant cannot do, path by path: use, take, read or find out what is another namespace's, or send the operator
somewhere. A tenant has the permissions of an editor of collections and functions in its own namespace, and no others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.api import Api, Refused
from tests.e2e.lab import PLURALS, eventually, path_of
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, FUNCTION, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, OperatorProcess

EDITOR = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "rules": [
        {
            "apiGroups": ["embedding.milvus.io"],
            "resources": ["milvuscollections", "embeddingfunctions"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "list", "watch"]},
    ],
}
# Of objects that the platform has, or has not; long enough to be found wherever they turn up.
HIDDEN, HIDDEN_KEY, HIDDEN_LABEL = "hidden-of-platform", "secret-of-platform", "label_of_platform"
METADATA_SERVICES = ("http://169.254.169.254:80", "http://169.254.43518:80", "http://[fe80::1]:80")


class Tenancy:
    """The platform's namespace is the stage's; its connection `milvus` is open to the team, and nothing else is."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.lab = stage.lab
        self.platform = stage.namespace
        self.team = stage.team()
        self.grant: Body = {"allowedNamespaces": {"from": "Names", "names": [self.team]}}
        self.api = self._editor()

    def _editor(self) -> Api:
        """Requests of somebody with these permissions in the team's namespace."""
        here = {"name": "editor", "namespace": self.team}
        subject = {"kind": "ServiceAccount", **here}
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "editor"}
        binding = {"apiVersion": EDITOR["apiVersion"], "kind": "RoleBinding", "roleRef": ref, "subjects": [subject]}
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        self.lab.apply(*({**body, "metadata": here} for body in (account, EDITOR, binding)))
        path = self.lab.directory / f"{self.team}.kubeconfig"
        return Api(self.lab.plane.service_account_kubeconfig(self.team, "editor", path))

    def apply_platform(self) -> None:
        """Connection, key and the collection `docs`; connection and key are open to the team, and to its keys."""
        self.stage.apply(
            self.stage.connection(**self.grant, embedding=self.grant),
            self.stage.secret(),
            self.stage.credential(**self.grant),
            self.stage.collection(aliases=["live"]),
        )
        self.stage.ready(COLLECTION)

    def create(self, body: Body) -> None:
        """As the tenant, in its namespace."""
        self.api.create(path_of(body["kind"], self.team), body)

    def collection(self, name: str, **spec: object) -> Body:
        if "function_ref" not in spec:
            spec.setdefault("credential_ref", {"name": "apikey-dev", "namespace": self.platform})
        return manifests.collection(self.team, name, at=self.platform, **spec)  # type: ignore[arg-type]

    def refused(self, name: str, reason: str, kind: str = COLLECTION) -> str:
        """The message, in which nothing of the platform is named but what the tenant wrote."""
        message: str = self.lab.wait_condition(kind, self.team, name, reason=reason, within=15)["message"]
        return message

    def told(self) -> dict[str, object]:
        """All that the team can read of its own objects, but for what every object has of its own."""
        told: dict[str, object] = {}
        for kind in PLURALS:
            for body in self.lab.list(kind, self.team):
                status = json.loads(json.dumps(body.get("status", {})))
                for condition in status.get("conditions", []):
                    condition.pop("lastTransitionTime")
                told[f"{kind} {body['metadata']['name']}"] = status
        for event in self.lab.list("Event", self.team):
            about = event["involvedObject"]
            told[f"Event of {about['kind']} {about['name']}: {event['reason']}"] = (
                event["message"],
                event["type"],
                event.get("count"),
            )
        return told

    def text(self) -> str:
        return json.dumps(self.told())

    def clear(self) -> None:
        for kind in PLURALS:
            self.lab.api.delete(path_of(kind, self.team))
        eventually("they are gone", lambda: not any(self.lab.list(kind, self.team) for kind in PLURALS))
        self.lab.api.delete(path_of("Event", self.team))


@pytest.fixture
def tenancy(stage: Stage) -> Iterator[Tenancy]:
    opened = Tenancy(stage)
    yield opened
    opened.api.close()


def reaching(tenancy: Tenancy) -> list[Body]:
    """An object for each kind of reference, to what is not granted. The credential is its admin's."""
    hidden = {"name": HIDDEN, "namespace": tenancy.platform}
    shared = {"name": "shared", "namespace": tenancy.platform}
    to_connection = manifests.collection(tenancy.team, "to-connection", at=tenancy.platform)
    to_connection["spec"]["connectionRef"]["name"] = HIDDEN
    credential = manifests.credential(tenancy.team, "to-connection", at=tenancy.platform, secret_name="own")
    credential["spec"]["connectionRef"]["name"] = HIDDEN
    model = {"model": "text-embedding-v3", "credentialRef": hidden}
    return [
        to_connection,
        tenancy.collection("to-credential", credential_ref=hidden),
        tenancy.collection("to-function", function_ref=hidden),
        tenancy.collection("to-credential-of-function", function_ref=shared),
        manifests.function(tenancy.team, "to-credential", dashscope=model),
        credential,
    ]


def hidden_objects(tenancy: Tenancy) -> list[Body]:
    """What they reach for, without a grant."""
    at = tenancy.platform
    key = tenancy.lab.new_key("hidden")
    tenancy.stage.site.dashscope.keys.add(key)
    return [
        manifests.secret(at, HIDDEN_KEY, apikey=key),
        manifests.connection(at, tenancy.stage.site.milvus.uri, name=HIDDEN, embedding={}),
        manifests.credential(at, HIDDEN, secret_name=HIDDEN_KEY, label=HIDDEN_LABEL),
        manifests.function(at, HIDDEN),
    ]


def test_without_a_grant_every_kind_of_reference_answers_the_same_whether_or_not_there_is_something(
    tenancy: Tenancy, operator: OperatorProcess
) -> None:
    """Byte for byte: the same objects are created before and after what they reach for."""
    model = {"model": "text-embedding-v3", "credentialRef": {"name": HIDDEN}}
    shared = manifests.function(tenancy.platform, "shared", dashscope=model, **tenancy.grant)
    tenancy.stage.apply(tenancy.stage.connection(**tenancy.grant), shared)
    tenancy.stage.ready(CONNECTION)

    def answers() -> dict[str, object]:
        for body in reaching(tenancy):
            tenancy.lab.apply(body)
        for body in reaching(tenancy):
            tenancy.refused(body["metadata"]["name"], "NotAllowed", body["kind"])
        number = len(reaching(tenancy))
        eventually("Events are written", lambda: len(tenancy.lab.list("Event", tenancy.team)) >= number)
        operator.wait_quiet(1.5)
        return tenancy.told()

    absent = answers()
    tenancy.clear()
    tenancy.stage.apply(*hidden_objects(tenancy))
    for kind in (CONNECTION, CREDENTIAL, FUNCTION):
        tenancy.stage.ready(kind, HIDDEN)
    present = answers()

    assert present == absent
    assert len(present) == 2 * len(reaching(tenancy))
    for unknown in (HIDDEN_KEY, HIDDEN_LABEL, "dashscope-dev", "text-embedding", tenancy.stage.site.milvus.uri):
        assert unknown not in json.dumps(present)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        pytest.param(CONNECTION, {"uri": "http://a:1", "authSecretRef": {"name": "a"}}, id="authSecretRef"),
        pytest.param(
            CONNECTION,
            {"uri": "https://a:1", "tls": {"caRef": {"kind": "Secret", "name": "a", "key": "k"}}},
            id="tls.caRef",
        ),
        pytest.param(
            CONNECTION,
            {"uri": "https://a:1", "tls": {"clientCertificateSecretRef": {"name": "a"}}},
            id="tls.clientCertificateSecretRef",
        ),
        pytest.param(
            CREDENTIAL,
            {"connectionRef": {"name": "milvus"}, "apiKeySecretRef": {"name": "a", "key": "k"}},
            id="apiKeySecretRef",
        ),
    ],
)
def test_a_secret_of_another_namespace_cannot_even_be_named(
    request: pytest.FixtureRequest, tenancy: Tenancy, kind: str, spec: Body
) -> None:
    elsewhere = json.loads(json.dumps(spec))
    _named(elsewhere, request.node.callspec.id)["namespace"] = tenancy.platform
    strict = f"{path_of(kind, tenancy.team)}?dryRun=All&fieldValidation=Strict"

    with pytest.raises(Refused, match=r"unknown field.*namespace"):
        tenancy.lab.api.create(strict, _body(kind, elsewhere))

    tenancy.lab.api.create(strict, _body(kind, spec))  # it is the namespace that is refused
    lenient = tenancy.lab.api.create(strict.replace("Strict", "Ignore"), _body(kind, elsewhere))
    assert "namespace" not in _named(lenient["spec"], request.node.callspec.id)


def _named(spec: Body, path: str) -> Body:
    for part in path.split("."):
        spec = spec[part]
    return spec


def _body(kind: str, spec: Body) -> Body:
    return {"apiVersion": manifests.API_VERSION, "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def test_a_collection_or_an_alias_of_another_cannot_be_taken(tenancy: Tenancy) -> None:
    tenancy.apply_platform()
    other = manifests.credential(tenancy.team, "own", at=tenancy.platform, secret_name="own", label="apikey_dev")
    with tenancy.stage.site.client() as client:
        client.create_collection("by_hand", dimension=8)
        before = _seen(tenancy)
        tenancy.create(tenancy.collection("owned", collectionName="docs"))
        tenancy.create(tenancy.collection("observed", collectionName="docs", adoptionPolicy="Observe"))
        tenancy.create(tenancy.collection("deleted", collectionName="docs", deletionPolicy="Delete"))
        tenancy.create(tenancy.collection("by-hand"))
        tenancy.create(tenancy.collection("behind-alias", collectionName="live"))
        tenancy.create(tenancy.collection("with-alias", aliases=["live"]))
        stamp = f"{tenancy.platform}/docs"
        tenancy.create(tenancy.collection("stamped", properties={"embedding.milvus.io/owner": stamp}))
        tenancy.lab.apply(other)

        for name in ("owned", "deleted"):
            assert tenancy.platform not in tenancy.refused(name, "OwnedByOther")
        eventually("there is an answer", lambda: _status(tenancy, "observed"))
        tenancy.refused("by-hand", "NameTaken")
        assert "docs" not in tenancy.refused("behind-alias", "NameIsAlias")
        assert "docs" not in tenancy.refused("with-alias", "AliasTaken")
        tenancy.refused("stamped", "InvalidSpec")
        tenancy.refused("own", "LabelNotAllowed", CREDENTIAL)
        for name in ("owned", "observed", "deleted", "by-hand", "behind-alias"):
            assert {"drift", "plan", "functions"} & set(_status(tenancy, name)) == set(), "no word of how it looks"
        assert f"{tenancy.platform}/docs" not in tenancy.text()

        for name in ("owned", "observed", "deleted", "behind-alias"):
            tenancy.api.delete(path_of(COLLECTION, tenancy.team, name))
            gone = lambda name=name: tenancy.lab.get(COLLECTION, tenancy.team, name) is None  # noqa: E731
            eventually("its object goes", gone)
        assert _seen(tenancy) == before
        assert client.list_aliases(collection_name="docs")["aliases"] == ["live"]
    assert tenancy.stage.site.milvus.calls["DropCollection"] == 0
    tenancy.stage.ready(COLLECTION)


def _seen(tenancy: Tenancy) -> list[Body]:
    with tenancy.stage.site.client() as client:
        return [client.describe_collection(name) for name in ("docs", "by_hand")]


def _status(tenancy: Tenancy, name: str) -> Body:
    status: Body = (tenancy.lab.get(COLLECTION, tenancy.team, name) or {}).get("status", {})
    return status


def test_an_editor_can_neither_read_nor_write_beyond_collections_and_functions_of_its_namespace(
    tenancy: Tenancy,
) -> None:
    tenancy.apply_platform()
    tenancy.create(tenancy.collection("own"))
    tenancy.lab.wait_ready(COLLECTION, tenancy.team, "own")
    tenancy.create(manifests.function(tenancy.team, "own"))
    assert tenancy.api.get(path_of(COLLECTION, tenancy.team, "own"))["status"]["collection"]["name"] == "own"
    ready = tenancy.api.get(path_of(COLLECTION, tenancy.team, "own"))["status"]

    readings = {
        tenancy.platform: (*PLURALS, "Event", "Secret", "ConfigMap"),
        tenancy.team: (CONNECTION, CREDENTIAL, "Secret", "ConfigMap"),
        "": (*PLURALS, "Event", "Secret"),
    }
    for path in (path_of(kind, at) for at, kinds in readings.items() for kind in kinds):
        with pytest.raises(Refused, match="403"):
            tenancy.api.get(path)
    for body in (
        manifests.connection(tenancy.team, "http://a:1"),
        manifests.credential(tenancy.team, "new", at=tenancy.platform, secret_name="own"),
        manifests.function(tenancy.platform, "new"),
        manifests.collection(tenancy.platform, "new"),
    ):
        with pytest.raises(Refused, match="403"):
            tenancy.api.create(path_of(body["kind"], body["metadata"]["namespace"]), body)
    with pytest.raises(Refused, match="403"):
        tenancy.api.delete(path_of(COLLECTION, tenancy.platform, "docs"))
    patches: dict[str, Body] = {
        path_of(COLLECTION, tenancy.platform, "docs"): {"spec": {"paused": True}},
        f"{path_of(COLLECTION, tenancy.team, 'own')}/status": {"status": {"collection": {"name": "docs"}}},
    }
    for path, patch in patches.items():
        with pytest.raises(Refused, match="403"):
            tenancy.api.patch(path, patch)

    # A status in what is applied is not taken either.
    tenancy.api.patch(path_of(COLLECTION, tenancy.team, "own"), {"status": {"collection": {"name": "docs"}}})
    assert tenancy.api.get(path_of(COLLECTION, tenancy.team, "own"))["status"] == ready


@pytest.mark.parametrize("address", METADATA_SERVICES)
def test_the_operator_is_not_sent_to_the_metadata_service(tenancy: Tenancy, address: str) -> None:
    """By whom may create connections: neither as Milvus nor as the provider."""
    as_provider = manifests.connection(tenancy.team, "http://127.0.0.1:9", url=address, name="provider")
    tenancy.lab.apply(manifests.connection(tenancy.team, address, name="as-milvus"), as_provider)

    tenancy.refused("as-milvus", "EndpointNotAllowed", CONNECTION)
    rendered = tenancy.lab.wait_condition(
        CONNECTION, tenancy.team, "provider", type_="ConfigRendered", reason="EndpointNotAllowed", within=15
    )
    assert "link-local address" in rendered["message"]
