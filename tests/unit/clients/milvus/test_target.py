"""Targets: what they accept, what they tell and what they keep to themselves."""

import pytest

from milvus_embedding.clients.milvus.target import Target, TlsFiles


@pytest.mark.parametrize(
    ("uri", "address", "secure"),
    [
        ("http://milvus.milvus.svc:19530", "milvus.milvus.svc:19530", False),
        ("http://milvus", "milvus:19530", False),
        ("https://milvus", "milvus:443", True),
        ("https://[fd00::1]:19530", "[fd00::1]:19530", True),
        ("http://10.0.0.1:1/", "10.0.0.1:1", False),
    ],
)
def test_addresses(uri: str, address: str, *, secure: bool) -> None:
    target = Target(uri=uri)
    assert (target.address, target.secure) == (address, secure)


@pytest.mark.parametrize("uri", ["", "milvus:19530", "tcp://milvus", "http://", "docs.db", "unix:/x"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="uri must be http"):
        Target(uri=uri)


@pytest.mark.parametrize("uri", ["http://root:hunter2@milvus", "http://milvus?token=hunter2", "http://milvus/hunter2"])
def test_an_address_with_more_than_an_address_is_refused_without_repeating_it(uri: str) -> None:
    with pytest.raises(ValueError, match="uri must hold no user info") as error:
        Target(uri=uri)
    assert "hunter2" not in str(error.value)


def test_neither_user_nor_password_goes_alone() -> None:
    with pytest.raises(ValueError, match="A user needs a password"):
        Target(uri="http://milvus", user="root")
    with pytest.raises(ValueError, match="A user needs a password"):
        Target(uri="http://milvus", password="hunter2")


@pytest.mark.parametrize(
    ("target", "credentials"),
    [
        (Target(uri="http://milvus"), ""),
        (Target(uri="http://milvus", user="root", password="a:b"), "root:a:b"),
        (Target(uri="http://milvus", token="t", user="root", password="p"), "t"),
    ],
    ids=["without authentication", "by user and password", "a token goes first"],
)
def test_credentials(target: Target, credentials: str) -> None:
    assert target.credentials == credentials


def test_nothing_secret_is_in_the_repr() -> None:
    tls = TlsFiles(ca=b"ca-bytes", certificate=b"cert-bytes", key=b"key-bytes")
    text = repr(Target(uri="https://milvus", user="root", password="hunter2", token="tok", tls=tls))
    for secret in ("root", "hunter2", "tok", "ca-bytes", "cert-bytes", "key-bytes"):
        assert secret not in text.replace("token", "")


def test_a_client_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match=r"both tls.crt and tls.key"):
        TlsFiles(certificate=b"x")


def test_equal_targets_are_equal_and_a_new_password_is_another_target() -> None:
    one = Target(uri="http://milvus", user="root", password="a")
    assert one == Target(uri="http://milvus", user="root", password="a")
    assert one != Target(uri="http://milvus", user="root", password="b")
