"""Where a connection may send the operator and Milvus: nothing goes to an address that is refused."""

import pytest

from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import CONFIG, CONNECTION, connection

METADATA = [
    "http://169.254.169.254/latest",
    "http://%31%36%39.254.169.254/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://2852039166/",
]


@pytest.mark.parametrize("uri", [address.removesuffix("/latest").removesuffix("/") for address in METADATA])
async def test_a_uri_of_a_metadata_service_is_never_asked(bench: Bench, uri: str) -> None:
    bench.apply(connection(uri=uri, embedding=None))

    await bench.reconcile(CONNECTION)

    assert bench.condition(CONNECTION, "Reachable") == ("False", "EndpointNotAllowed")
    assert bench.milvus.calls == []
    assert CONNECTION not in bench.clients.targets


@pytest.mark.parametrize("url", METADATA)
async def test_a_url_of_a_metadata_service_is_not_rendered(bench: Bench, url: str) -> None:
    bench.quickstart()
    bench.apply(connection(embedding={"dashscope": {"credentialRef": {"name": "apikey-dev"}, "url": url}}))

    await bench.settle()

    assert bench.condition(CONNECTION, "ConfigRendered") == ("False", "EndpointNotAllowed")
    assert CONFIG not in bench.world.secrets


async def test_a_url_outside_of_the_list_is_not_rendered(make_bench: MakeBench) -> None:
    bench = make_bench(allowed_endpoints=("milvus.milvus.svc", "*.aliyuncs.com"))
    bench.quickstart()
    bench.apply(connection(embedding={"dashscope": {"url": "https://collects-keys.example/v1"}}))

    await bench.settle()

    assert bench.condition(CONNECTION, "ConfigRendered") == ("False", "EndpointNotAllowed")
    assert CONFIG not in bench.world.secrets
