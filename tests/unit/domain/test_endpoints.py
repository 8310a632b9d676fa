"""Which addresses the operator may be sent to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.endpoints import check_address, check_endpoint


@pytest.mark.parametrize(
    "url",
    [
        "http://milvus.milvus.svc:19530",
        "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding",
        "http://127.0.0.1:19530",
        "http://10.1.2.3",
        "http://[fd00::1]:19530",
        "http://169.254:19530",
    ],
)
def test_ordinary_addresses_are_fine(url: str) -> None:
    assert check_endpoint(url, ()) is None


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("169.254.169.254", id="the metadata service of most clouds"),
        pytest.param("169.254.0.1", id="any link-local address"),
        pytest.param("2852039166", id="as one number"),
        pytest.param("0xA9FEA9FE", id="as a hexadecimal number"),
        pytest.param("0251.0376.0251.0376", id="in octal"),
        pytest.param("169.254.43518", id="with two bytes in one"),
        pytest.param("169.16689662", id="with three bytes in one"),
        pytest.param("[fe80::1]", id="link-local of version 6"),
        pytest.param("[fe80::1%25eth0]", id="with a zone"),
        pytest.param("[::ffff:169.254.169.254]", id="mapped into version 6"),
        pytest.param("[64:ff9b::a9fe:a9fe]", id="behind NAT64"),
        pytest.param("[2002:a9fe:a9fe::]", id="in 6to4"),
        pytest.param("[::a9fe:a9fe]", id="in the old compatible form"),
        pytest.param("100.100.100.200", id="Alibaba Cloud's metadata service"),
        pytest.param("[fd00:ec2::254]", id="AWS' metadata service of version 6"),
        pytest.param("metadata.google.internal", id="Google Cloud's by name"),
        pytest.param("METADATA.google.internal.", id="the same in another spelling"),
    ],
)
def test_link_local_addresses_are_refused_in_every_spelling(host: str) -> None:
    problem = check_endpoint(f"http://{host}/latest", ())
    assert problem is not None
    assert "always refused" in problem
    assert "always refused" in (check_endpoint(f"http://{host}/latest", ("*",)) or "")


@pytest.mark.parametrize("url", ["", "milvus:19530", "ftp://milvus", "http://", "http://[::1", "http://a:99999"])
def test_what_is_no_url_is_refused(url: str) -> None:
    assert check_endpoint(url, ()) == "The address is not a URL; write http://host:port or https://host:port."


@pytest.mark.parametrize("url", ["http://u:hunter2@milvus", "http://milvus?key=hunter2", "http://milvus#hunter2"])
def test_secrets_in_an_address_are_refused_and_not_repeated(url: str) -> None:
    problem = check_endpoint(url, ())
    assert problem is not None
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("allowed", "fine"),
    [
        pytest.param((), True, id="no pattern allows all"),
        pytest.param(("dashscope.aliyuncs.com",), True, id="the host itself"),
        pytest.param(("*.aliyuncs.com",), True, id="a domain"),
        pytest.param(("DashScope.*",), True, id="case does not matter"),
        pytest.param(("dashscope.aliyuncs.com:443",), True, id="with the scheme's port"),
        pytest.param(("dashscope.aliyuncs.com:80",), False, id="another port"),
        pytest.param(("aliyuncs.com",), False, id="the domain alone is another host"),
        pytest.param(("example.com", "*.svc"), False, id="none of several"),
    ],
)
def test_patterns_narrow(allowed: tuple[str, ...], *, fine: bool) -> None:
    problem = check_endpoint("https://dashscope.aliyuncs.com/api", allowed)
    assert (problem is None) is fine
    assert fine or "--allow-endpoint" in (problem or "")


@given(st.ip_addresses(network="169.254.0.0/16") | st.ip_addresses(network="fe80::/10"))
def test_no_link_local_address_passes(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert check_address(str(address)) is not None


@given(st.text(max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    check_address(text)
    check_endpoint(f"http://{text}", ())


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1", "8.8.8.8", "not an address"])
def test_other_addresses_pass(address: str) -> None:
    assert check_address(address) is None
