"""What only several manifests show together."""

from collections.abc import Mapping

import pytest

from milvus_embedding.validation import Check, Problem, Severity, SourcedDocument, validate_documents
from milvus_embedding.validation.problems import dotted
from tests.contract.cases import COLLECTION, CREDENTIAL, FUNCTION, Body, changed

CONNECTION: Body = {
    "apiVersion": "embedding.milvus.io/v1alpha1",
    "kind": "MilvusConnection",
    "metadata": {"name": "milvus", "namespace": "milvus"},
    "spec": {
        "uri": "http://milvus:19530",
        "allowedNamespaces": {"from": "Names", "names": ["search"]},
        "embedding": {"allowedNamespaces": {"from": "Names", "names": ["search"]}},
    },
}
SECRET: Body = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "milvus"},
    "stringData": {"apikey": "x"},
}
KEY = changed(CREDENTIAL, {"spec.allowedNamespaces": {"from": "Names", "names": ["search"]}})
GOOD = (CONNECTION, SECRET, KEY, FUNCTION, COLLECTION)
THROUGH: Body = {"spec.functions.0.textEmbedding": {"functionRef": {"name": "f"}}}
NAMED: Body = {"spec.dashscope.credentialRef": {"name": "k", "namespace": "milvus"}}
INLINE: Body = {
    "spec.functions.0.textEmbedding.dashscope.credentialRef": {"name": "k", "namespace": "milvus"},
}
NAMESPACE: Body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "search", "labels": {"team": "x"}}}


def _selector(team: str) -> Body:
    return {"spec.allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"team": team}}}}


def _by_name(name: str) -> Body:
    labels = {"kubernetes.io/metadata.name": name}
    return {"spec.allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": labels}}}


def _check(*bodies: Mapping[str, object]) -> list[Problem]:
    documents = [SourcedDocument(file=f"{at}.yaml", line=1, body=body) for at, body in enumerate(bodies)]
    problems = validate_documents(documents)
    assert all(problem.check is Check.REFERENCES for problem in problems)
    return problems


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        pytest.param(changed(COLLECTION, {"spec.migration": {"writers": "Live"}}), "spec.migration", id="a policy"),
        pytest.param(changed(CREDENTIAL, {"spec.quota": {"group": "g"}}), "spec.quota", id="a whole block"),
    ],
)
def test_what_this_version_does_not_do_is_an_error_that_names_the_field(body: Body, asked: str) -> None:
    problems = validate_documents([SourcedDocument(file="f", line=1, body=body)])
    errors = [problem.message for problem in problems if problem.severity is Severity.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith(f"not supported by this version: {asked}")
    assert errors[0].endswith("(NotSupportedYet)")


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param(GOOD, id="everything granted"),
        pytest.param(
            (CONNECTION, SECRET, KEY, changed(FUNCTION, NAMED), changed(COLLECTION, THROUGH)),
            id="a function with a credential of the connection",
        ),
        pytest.param((NAMESPACE, changed(CONNECTION, _selector("x")), SECRET, KEY, COLLECTION), id="granted by label"),
        pytest.param(
            (changed(CONNECTION, _by_name("search")), SECRET, KEY, COLLECTION), id="granted by the name label"
        ),
        pytest.param(
            (
                changed(CONNECTION, {"spec.embedding": None}),
                changed(KEY, {"spec": {"connectionRef": {"name": "milvus"}, "external": {}, "label": "a"}}),
            ),
            id="an external credential needs no delivery",
        ),
    ],
)
def test_what_fits_has_no_problem(bodies: tuple[Body, ...]) -> None:
    assert _check(*bodies) == []


@pytest.mark.parametrize(
    ("bodies", "path", "message"),
    [
        pytest.param(
            (changed(CONNECTION, {"spec.allowedNamespaces": {"from": "Same"}}), COLLECTION),
            "spec.connectionRef",
            "MilvusConnection milvus/milvus does not allow namespace search (NotAllowed)",
            id="a connection that is not granted",
        ),
        pytest.param(
            (NAMESPACE, changed(CONNECTION, _selector("y")), COLLECTION),
            "spec.connectionRef",
            "NotAllowed",
            id="labels that do not match",
        ),
        pytest.param(
            (changed(CONNECTION, _by_name("other")), COLLECTION),
            "spec.connectionRef",
            "NotAllowed",
            id="the label with the name, which is known of every namespace",
        ),
        pytest.param(
            (CONNECTION, SECRET, CREDENTIAL, changed(COLLECTION, INLINE)),
            "spec.functions[0].textEmbedding.dashscope.credentialRef",
            "EmbeddingCredential milvus/k does not allow namespace search",
            id="a credential that is not granted",
        ),
        pytest.param(
            (
                CONNECTION,
                changed(FUNCTION, {"metadata.namespace": "milvus"}),
                changed(
                    COLLECTION,
                    {"spec.functions.0.textEmbedding": {"functionRef": {"name": "f", "namespace": "milvus"}}},
                ),
            ),
            "spec.functions[0].textEmbedding.functionRef",
            "EmbeddingFunction milvus/f does not allow namespace search",
            id="a function that is not granted",
        ),
        pytest.param(
            (
                CONNECTION,
                SECRET,
                CREDENTIAL,
                changed(FUNCTION, NAMED | {"metadata.namespace": "milvus", "spec.allowedNamespaces": {"from": "All"}}),
                changed(
                    COLLECTION,
                    {"spec.functions.0.textEmbedding": {"functionRef": {"name": "f", "namespace": "milvus"}}},
                ),
            ),
            "spec.functions[0].textEmbedding.functionRef",
            "EmbeddingCredential milvus/k does not allow namespace search",
            id="a credential that is granted to the function but not to the collection",
        ),
        pytest.param(
            (
                CONNECTION,
                changed(FUNCTION, {"spec.dashscope.dim": 512}),
                changed(COLLECTION, THROUGH | {"spec.fields.2.dim": 1024}),
            ),
            "spec.fields[2].dim",
            "dim is 1024, but EmbeddingFunction search/f gives 512 (DimensionMismatch)",
            id="a dim that differs from the function's",
        ),
        pytest.param(
            (CONNECTION, SECRET, changed(KEY, {"spec.connectionRef.name": "elsewhere"}), changed(COLLECTION, INLINE)),
            "spec.functions[0].textEmbedding.dashscope",
            "CredentialOfOtherConnection",
            id="a credential of another connection",
        ),
        pytest.param(
            (
                changed(CONNECTION, {"spec.embedding.dashscope": {"credentialRef": {"name": "k"}}}),
                SECRET,
                changed(KEY, {"spec.connectionRef.name": "elsewhere"}),
            ),
            "spec.embedding.dashscope.credentialRef",
            "CredentialOfOtherConnection",
            id="a default key of another connection",
        ),
        pytest.param(
            (changed(CONNECTION, {"spec.embedding": None}), SECRET, KEY),
            "spec.connectionRef",
            "EmbeddingNotConfigured",
            id="a key for a connection that delivers nothing",
        ),
        pytest.param(
            (
                changed(CONNECTION, {"spec.embedding": {}}),
                changed(KEY, {"metadata.namespace": "search", "spec.connectionRef.namespace": "milvus"}),
            ),
            "spec.connectionRef",
            "add it to spec.embedding.allowedNamespaces there",
            id="a key from a namespace that may not add one",
        ),
        pytest.param(
            (
                CONNECTION,
                changed(
                    KEY,
                    {"metadata.namespace": "search", "spec.connectionRef.namespace": "milvus", "spec.label": "mine"},
                ),
            ),
            "spec.label",
            "LabelNotAllowed",
            id="a label chosen elsewhere",
        ),
        pytest.param(
            (
                CONNECTION,
                SECRET,
                changed(KEY, {"spec.label": "a_b"}),
                changed(KEY, {"metadata.name": "z", "spec.label": "ab"}),
            ),
            "spec.label",
            "LabelConflict",
            id="labels that Milvus takes for one",
        ),
        pytest.param(
            (CONNECTION, SECRET, changed(KEY, {"spec.apiKeySecretRef.key": "token"})),
            "spec.apiKeySecretRef.key",
            "Secret milvus/s has no key token (SecretKeyMissing)",
            id="a key that the Secret does not have",
        ),
        pytest.param(
            (
                changed(
                    CONNECTION,
                    {"spec.embedding": {"delivery": "Environment", "dashscope": {"credentialRef": {"name": "k"}}}},
                ),
                SECRET,
                KEY,
                changed(COLLECTION, INLINE),
            ),
            "spec.functions[0].textEmbedding.dashscope",
            "LabelInEnvironment",
            id="a credential named where the environment carries the key",
        ),
        pytest.param(
            (CONNECTION, changed(COLLECTION, {"spec.properties": {"embedding.milvus.io/owner": "x"}})),
            "spec.properties.embedding.milvus.io/owner",
            "belong to the operator",
            id="a property of the operator",
        ),
        pytest.param(
            (CONNECTION, COLLECTION, changed(COLLECTION, {"metadata.name": "other", "spec.collectionName": "docs"})),
            "spec.collectionName",
            "the name docs is wanted by MilvusCollection search/docs too",
            id="one name for two collections",
        ),
        pytest.param(
            (CONNECTION, COLLECTION, changed(COLLECTION, {"metadata.name": "other", "spec.aliases": ["docs"]})),
            "spec.aliases[0]",
            "the name docs is wanted by",
            id="an alias that is the name of another",
        ),
        pytest.param((CONNECTION, COLLECTION, COLLECTION), "metadata.name", "declared twice, also at 1.yaml:1", id="2"),
    ],
)
def test_what_does_not_fit_is_an_error(bodies: tuple[Body, ...], path: str, message: str) -> None:
    errors = [problem for problem in _check(*bodies) if problem.severity is Severity.ERROR]

    assert [dotted(problem.path) for problem in errors][:1] == [path]
    assert message in errors[0].message


def test_the_owner_and_the_heir_of_a_hand_over_may_declare_one_collection() -> None:
    heir = changed(COLLECTION, {"metadata": {"name": "heir", "namespace": "search"}, "spec.collectionName": "docs"})
    annotations = {"embedding.milvus.io/release-to": "search/heir"}
    owner = changed(COLLECTION, {"metadata": {"name": "docs", "namespace": "search", "annotations": annotations}})

    for bodies in ((owner, heir), (heir, owner)):
        assert not [problem for problem in _check(CONNECTION, *bodies) if problem.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (COLLECTION, "MilvusConnection milvus/milvus"),
        (changed(COLLECTION, THROUGH), "EmbeddingFunction search/f"),
        (changed(COLLECTION, INLINE), "EmbeddingCredential milvus/k"),
        (CREDENTIAL, "Secret milvus/s"),
        (changed(FUNCTION, NAMED), "EmbeddingCredential milvus/k"),
        (
            changed(CONNECTION, {"spec.embedding.dashscope": {"credentialRef": {"name": "k"}}}),
            "EmbeddingCredential milvus/k",
        ),
    ],
)
def test_what_is_missing_may_be_in_the_cluster(body: Body, missing: str) -> None:
    problems = _check(body)

    assert {problem.severity for problem in problems} == {Severity.WARNING}
    assert any(problem.message.startswith(missing) for problem in problems)


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param(changed(CONNECTION, _selector("x")), id="the grant of a connection to collections"),
        pytest.param(
            changed(CONNECTION, {"spec.embedding.allowedNamespaces": _selector("x")["spec.allowedNamespaces"]}),
            id="the grant of its embedding to credentials",
        ),
    ],
)
def test_whether_a_label_is_there_that_no_manifest_shows_is_left_open(connection: Body) -> None:
    ref = {"name": "milvus", "namespace": "milvus"}
    own: Body = {"metadata": {"name": "own", "namespace": "search"}, "spec.label": None, "spec.connectionRef": ref}
    other = changed(CREDENTIAL, own)
    own_secret = changed(SECRET, {"metadata": {"name": "s", "namespace": "search"}})

    problems = _check(connection, SECRET, KEY, own_secret, other, COLLECTION)

    assert [problem.severity for problem in problems] == [Severity.WARNING]
    assert "depends on labels of that namespace" in problems[0].message


@pytest.mark.parametrize(
    ("connection", "hint"),
    [
        pytest.param({"name": "milvus", "namespace": "milvu"}, ", or did you mean milvus/milvus?", id="a misspelt one"),
        pytest.param({"name": "milvus"}, "", id="the own namespace, which may well have one of that name"),
        pytest.param({"name": "analytics", "namespace": "warehouse"}, "", id="another one"),
    ],
)
def test_a_reference_that_almost_fits_is_answered_with_what_it_may_mean(connection: Body, hint: str) -> None:
    warnings = [p for p in _check(CONNECTION, changed(COLLECTION, {"spec.connectionRef": connection}))]

    assert warnings[0].message.endswith(f"it has to be in the cluster already{hint}")


def test_an_invalid_object_is_not_looked_up_in() -> None:
    problems = validate_documents(
        [
            SourcedDocument(file="a", line=1, body=changed(CONNECTION, {"spec.paused": "yes"})),
            SourcedDocument(file="b", line=1, body=COLLECTION),
        ]
    )

    # It is among the manifests: to say that it is not would send people looking.
    assert [(problem.file, problem.check, problem.severity) for problem in problems] == [
        ("a", Check.SCHEMA, Severity.ERROR),
    ]


def test_what_is_handed_over_may_be_wanted_by_both() -> None:
    former = changed(COLLECTION, {"metadata.annotations": {"embedding.milvus.io/release-to": "search/other"}})
    heir = changed(COLLECTION, {"metadata.name": "other", "spec.collectionName": "docs"})
    third = changed(COLLECTION, {"metadata.name": "third", "spec.collectionName": "docs"})
    assert not [p for p in _check(CONNECTION, former, heir) if "wanted by" in p.message]
    assert not [p for p in _check(CONNECTION, heir, former) if "wanted by" in p.message]
    assert [p for p in _check(CONNECTION, former, heir, third) if "wanted by" in p.message]
