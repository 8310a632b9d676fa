"""Who is woken by what: reads and declared use."""

from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key
from milvus_embedding.runtime.references import RefIndex
from milvus_embedding.runtime.usage import UsageIndex

A, B, X, Y = (Key("Kind", "ns", name) for name in "abxy")
CREDENTIAL = Key("EmbeddingCredential", "ns", "cred")
DEFAULT = Key("EmbeddingCredential", "ns", "default")
FUNCTION = Key("EmbeddingFunction", "ns", "fn")


def function(credential: str | None = "cred", name: str = "fn") -> Resource:
    reference = {"credentialRef": {"name": credential}} if credential else {}
    return EmbeddingFunction.parse(
        {"metadata": {"name": name, "namespace": "ns"}, "spec": {"dashscope": {"model": "m", **reference}}}
    )


def collection(name: str, *embeddings: dict[str, object]) -> Resource:
    functions = [
        {"name": f"f{n}", "inputFields": ["text"], "outputFields": [f"v{n}"], "textEmbedding": embedding}
        for n, embedding in enumerate(embeddings)
    ]
    spec = {"connectionRef": {"name": "milvus"}, "fields": [], "functions": functions}
    return MilvusCollection.parse({"metadata": {"name": name, "namespace": "ns"}, "spec": spec})


def connection(default: str) -> Resource:
    spec = {"uri": "http://milvus:19530", "embedding": {"dashscope": {"credentialRef": {"name": default}}}}
    return MilvusConnection.parse({"metadata": {"name": "milvus", "namespace": "ns"}, "spec": spec})


BY_FUNCTION: dict[str, object] = {"functionRef": {"name": "fn"}}
NAMELESS: dict[str, object] = {"dashscope": {"model": "m"}}
INLINE: dict[str, object] = {"dashscope": {"model": "m", "credentialRef": {"name": "cred"}}}


def test_a_reader_is_known_from_the_moment_it_reads() -> None:
    index = RefIndex()
    index.add(A, X)
    assert index.readers(X) == {A}


def test_what_the_last_reconcile_did_not_read_wakes_nobody() -> None:
    index = RefIndex()
    index.add(A, X)
    index.add(A, Y)
    index.replace(A, [Y])
    assert index.readers(X) == frozenset()
    assert index.readers(Y) == {A}


def test_a_dropped_reader_is_nowhere() -> None:
    index = RefIndex()
    index.replace(A, [X])
    index.replace(B, [X])
    index.drop(A)
    assert index.readers(X) == {B}
    assert index.reads(A) == frozenset()


keys = st.sampled_from([A, B, X, Y])


@given(st.lists(st.tuples(keys, st.frozensets(keys))))
def test_both_directions_always_agree(replacements: list[tuple[Key, frozenset[Key]]]) -> None:
    index, expected = RefIndex(), dict[Key, frozenset[Key]]()
    for reader, reads in replacements:
        index.replace(reader, reads)
        expected[reader] = reads
    for key in (A, B, X, Y):
        assert index.reads(key) == expected.get(key, frozenset())
        assert index.readers(key) == {reader for reader, reads in expected.items() if key in reads}


def test_a_credential_is_used_directly_and_through_functions_and_each_collection_counts_once() -> None:
    usage = UsageIndex()
    usage.put(function())
    usage.put(collection("one", BY_FUNCTION))
    usage.put(collection("two", INLINE))
    usage.put(collection("both", BY_FUNCTION, INLINE))
    assert usage.used_by(CREDENTIAL) == 3
    assert usage.used_by(FUNCTION) == 2


def test_a_new_collection_changes_the_numbers_of_its_function_and_of_the_credential_behind_it() -> None:
    usage = UsageIndex()
    usage.put(function())
    assert usage.put(collection("one", BY_FUNCTION)) == {FUNCTION, CREDENTIAL}
    assert usage.put(collection("one", BY_FUNCTION)) == frozenset()
    assert usage.remove(Key("MilvusCollection", "ns", "one")) == {FUNCTION, CREDENTIAL}
    assert usage.used_by(CREDENTIAL) == 0


def test_it_does_not_matter_what_comes_first() -> None:
    usage = UsageIndex()
    usage.put(collection("one", BY_FUNCTION))
    assert usage.put(function()) == {CREDENTIAL}
    assert usage.used_by(CREDENTIAL) == 1


def test_a_deleted_function_uses_no_credential_but_is_still_used() -> None:
    usage = UsageIndex()
    usage.put(function())
    usage.put(collection("one", BY_FUNCTION))
    usage.remove(FUNCTION)
    assert usage.used_by(CREDENTIAL) == 0
    assert usage.used_by(FUNCTION) == 1


def test_the_default_key_of_a_connection_is_used_by_the_collections_that_name_none() -> None:
    usage = UsageIndex()
    usage.put(connection(default="default"))
    usage.put(function(credential=None))
    usage.put(collection("named", INLINE))
    usage.put(collection("nameless", NAMELESS))
    assert usage.used_by(DEFAULT) == 1
    assert usage.put(collection("through a function", BY_FUNCTION)) == {DEFAULT, FUNCTION}
    assert usage.used_by(DEFAULT) == 2
    usage.put(function())
    assert usage.used_by(DEFAULT) == 1
