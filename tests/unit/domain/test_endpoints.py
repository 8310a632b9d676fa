"""Which addresses the operator may be sent to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.domain.endpoints import check_address, check_endpoint, check_pattern


@pytest.mark.parametrize(
    "url",
    [
        "http://milvus.milvus.svc:19530",
        "https://dashscope-intl.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding",
        "http://127.0.0.1:19530",
        "http://10.1.2.3",
        "http://[fd00::1]:19530",
        "http://169.254:19530",
        "http://milvus_proxy:19530",
        "http://xn--mlvus-m4a.example:19530",
        "http://milvus.milvus.svc.cluster.local.:19530",
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
        pytest.param("[64:ff9b:1::a9fe:a9fe]", id="behind NAT64 of a local prefix"),
        pytest.param("169.254.169.254.", id="with a dot at the end"),
        pytest.param("168.63.129.16", id="Azure's"),
        pytest.param("192.0.0.192", id="Oracle's"),
        pytest.param("[FD20:CE::254]", id="Google Cloud's of version 6"),
        pytest.param("metadata.google.internal", id="Google Cloud's by name"),
        pytest.param("METADATA.google.internal.", id="the same in another spelling"),
    ],
)
def test_link_local_addresses_are_refused_in_every_spelling(host: str) -> None:
    problem = check_endpoint(f"http://{host}/latest", ())
    assert problem is not None
    assert "always refused" in problem
    assert "always refused" in (check_endpoint(f"http://{host}/latest", ("*",)) or "")


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("%31%36%39.254.169.254", id="escapes, which gRPC undoes"),
        pytest.param("\uff11\uff16\uff19.254.169.254", id="fullwidth digits, which IDNA makes digits"),
        pytest.param("169\u3002254\u3002169\u3002254", id="a full stop that IDNA makes a dot"),
        pytest.param("m\u00eflvus.example", id="another alphabet"),
        pytest.param("milvus..svc", id="an empty part"),
        pytest.param("169.254.169.254..", id="two dots at the end"),
        pytest.param("milvus,169.254.169.254", id="a list, which gRPC may take"),
        pytest.param("milvus svc", id="a space"),
        pytest.param("milvus\\@169.254.169.254", id="a backslash"),
    ],
)
def test_hosts_that_somebody_may_read_differently_are_refused(host: str) -> None:
    assert check_endpoint(f"http://{host}:80", ()) is not None
    assert check_endpoint(f"http://{host}:80", ("*",)) is not None


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


@pytest.mark.parametrize(
    ("url", "allowed", "fine"),
    [
        pytest.param("http://10.0.3.4:19530", "10.0.*:19530", True, id="an address"),
        pytest.param("http://0x0a000304:19530", "10.0.*:19530", True, id="the same in another spelling"),
        pytest.param("http://10.0.evil.example:19530", "10.0.*:19530", False, id="a name that begins like an address"),
        pytest.param("http://10.0.evil.example:19530", "*:19530", True, id="a pattern for every host"),
        pytest.param("http://[fd00::1]:19530", "[fd00::1]:19530", True, id="version 6"),
        pytest.param("http://[FD00:0::1]:19530", "[fd00::*]", True, id="version 6 in another spelling"),
        pytest.param("http://[fd00::19]:80", "*:19", False, id="the end of an address is no port"),
        pytest.param("http://[::ffff:10.0.3.4]:19530", "10.0.*", False, id="mapped is another address"),
        pytest.param("http://a.svc:19530", "[ab].svc", False, id="only the star is special"),
        pytest.param("http://milvus.svc.:19530", "milvus.svc", True, id="the dot at the end means nothing"),
        pytest.param("http://milvus.svc.evil.example:80", "milvus.svc", False, id="more behind"),
        pytest.param("http://evilaliyuncs.com", "*.aliyuncs.com", False, id="less in front"),
        pytest.param("http://milvus.svc:0", "milvus.svc:80", False, id="port 0 is no default"),
    ],
)
def test_what_a_pattern_takes(url: str, allowed: str, *, fine: bool) -> None:
    assert (check_endpoint(url, (allowed,)) is None) is fine


@pytest.mark.parametrize("pattern", ["*", "*.svc", "10.0.*:19530", "[fd00::*]:443", "Milvus.svc", "*:443"])
def test_patterns(pattern: str) -> None:
    assert check_pattern(pattern) is None


@pytest.mark.parametrize("pattern", ["", "https://milvus", "milvus/api", "fd00::1", "milvus:http", "a b", ":443"])
def test_what_is_no_pattern_is_told_with_the_fix(pattern: str) -> None:
    assert "write a host or host:port" in (check_pattern(pattern) or "")


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
