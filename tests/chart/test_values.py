"""values.yaml and its schema: every value is described, what is wrong is refused, every setting can be reached."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from milvus_embedding.runtime.settings import Settings, from_environment, variable
from tests.e2e import chart
from tools.chart import ELSEWHERE, value_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
OTHERS: dict[str, Any] = {
    "namespaces": ["milvus", "search"],
    "accept_owner": ["one", "two"],
    "allow_endpoint": ["a.example", "*.b.example:443"],
    "log_format": "console",
    "log_level": "debug",
    "health_address": 9090,
    # Each has to be less than the next.
    "lease_retry_period": 3.5,
    "lease_renew_deadline": 21,
    "lease_duration": 30,
}
"""Values that are not the default, where none can be made up by type."""


def test_lint_is_content() -> None:
    chart.helm("lint", "--strict", str(chart.CHART))
    chart.helm("lint", "--strict", str(chart.CHART), values={"namespaces": ["milvus"], "owner": "mine"})


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    described = {name for name in SCHEMA["properties"] if name != "global"}

    assert set(VALUES) == described
    closed = {name: p for name in described if (p := _resolved(SCHEMA["properties"][name])).get("properties")}
    # Probes and limits of resources are Kubernetes' own, of which some are left out.
    free = {"livenessProbe", "readinessProbe", "startupProbe", "resources"}
    assert {n: set(VALUES[n]) for n in closed if n not in free} == {
        n: set(p["properties"]) for n, p in closed.items() if n not in free
    }


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    found: dict[str, Any] = SCHEMA["definitions"][PurePath(reference).name] if reference else schema
    return found


def test_every_object_of_the_schema_that_is_ours_is_closed() -> None:
    assert [path for path, schema in _objects(SCHEMA, "") if "additionalProperties" not in schema] == []


def _objects(schema: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(schema, dict):
        # Items of lists that Kubernetes describes are only looked at for the names that the chart needs.
        if "properties" in schema and isinstance(schema["properties"], dict) and not path.endswith("/items"):
            yield path, schema
        for key, inner in schema.items():
            yield from _objects(inner, f"{path}/{key}")


def test_every_value_has_a_comment() -> None:
    lines = ["", *(chart.CHART / "values.yaml").read_text().splitlines()]

    values = [(before, line) for before, line in pairwise(lines) if line and line[0] not in " #"]
    assert [name.split(":")[0] for _, name in values] == list(VALUES)
    assert [line for before, line in values if not before.startswith("#")] == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param({"replica": 3}, "'replica' not allowed", id="a misspelt value"),
        pytest.param({"rollout": {"enable": True}}, "'enable' not allowed", id="a misspelt value further in"),
        pytest.param({"settings": {"resync": 5}}, "'resync' not allowed", id="a setting that is none"),
        pytest.param({"settings": {"workers": 0}}, "/settings/workers", id="no workers"),
        pytest.param({"settings": {"workers": 2.5}}, "want integer", id="half a worker"),
        pytest.param({"settings": {"resyncSeconds": "10m"}}, "want number", id="a duration with a unit"),
        pytest.param({"settings": {"logLevel": "verbose"}}, "/settings/logLevel", id="a log level that is none"),
        pytest.param({"settings": {"allowEndpoint": "https://a"}}, "want array", id="one endpoint, not in a list"),
        pytest.param({"settings": {"acceptOwner": ["a,b"]}}, "/settings/acceptOwner/0", id="two ids in one"),
        pytest.param({"namespaces": "milvus"}, "want array", id="a namespace, not in a list"),
        pytest.param({"namespaces": ["Milvus"]}, "/namespaces/0", id="a name that is none"),
        pytest.param({"namespaces": ["a", "a"], "owner": "x"}, "/namespaces", id="a namespace twice"),
        pytest.param({"owner": "a/b"}, "/owner", id="an owner that would read as a path"),
        pytest.param({"secrets": {"rendered": ["*"]}}, "/secrets/rendered/0", id="a wildcard for a name"),
        pytest.param({"image": {"digest": "sha256:abc"}}, "/image/digest", id="a digest cut short"),
        pytest.param({"image": {"repository": "a@sha256:0"}}, "/image/repository", id="a digest in the repository"),
        pytest.param({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy", id="a pull policy that is none"),
        pytest.param({"replicas": "2"}, "want integer", id="replicas in quotes"),
        pytest.param({"healthPort": 0}, "/healthPort", id="no port"),
        pytest.param({"extraEnv": {"A": "b"}}, "want array", id="variables as a mapping"),
        pytest.param({"serviceMonitor": {"interval": "30"}}, "/serviceMonitor/interval", id="seconds without unit"),
        pytest.param({"strategy": {"type": "Rolling"}}, "/strategy/type", id="a strategy that is none"),
        pytest.param({"podSecurityContext": []}, "want object", id="a list for an object"),
        pytest.param({"commonLabels": {"app.kubernetes.io/name": "x"}}, "/commonLabels", id="a label that selects"),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/instance": "x"}}, "/podLabels", id="one of the pods that selects"
        ),
    ],
)
def test_refused_by_the_schema(values: dict[str, Any], says: str) -> None:
    with pytest.raises(chart.HelmFailed) as refused:
        chart.render(values)

    assert "don't meet the specifications of the schema" in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param({"namespaces": ["milvus"]}, "owner is not set", id="some namespaces, no owner"),
        pytest.param(
            {"namespaces": ["a"], "owner": "x", "milvusNamespaces": ["b"]},
            "milvusNamespaces has b, which namespaces has not",
            id="Milvus where nothing is served",
        ),
        pytest.param({"settings": {"leaderElection": False}}, "set replicas to 1", id="two without election"),
        pytest.param(
            {"replicas": 1, "settings": {"leaderElection": False}}, "set strategy.type to Recreate", id="two in passing"
        ),
        pytest.param({"settings": {"leaseDuration": 5}}, "less than settings.leaseDuration", id="a Lease too short"),
        pytest.param({"settings": {"shutdownGrace": 30}}, "less than terminationGrace", id="a farewell too long"),
        pytest.param({"settings": {"identity": "me"}}, "leave identity empty", id="two with one name"),
        pytest.param(
            {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}},
            "set service.enabled to true",
            id="a ServiceMonitor of nothing",
        ),
        pytest.param(
            {"secrets": {"rendered": ["a"]}, "rbac": {"create": False}}, "rbac.create is false", id="a rule of no Role"
        ),
    ],
)
def test_refused_with_a_sentence(values: dict[str, Any], says: str) -> None:
    with pytest.raises(chart.HelmFailed, match=says):
        chart.render(values)


def test_every_setting_can_be_reached_by_a_value() -> None:
    values: dict[str, Any] = {"replicas": 1, "strategy": {"type": "Recreate"}}
    wanted = {}
    for entry in dataclasses.fields(Settings):
        value = OTHERS.get(entry.name, _another(entry.default))
        wanted[entry.name] = f":{value}" if entry.name == "health_address" else value
        _put(values, ELSEWHERE.get(entry.name, f"settings.{value_name(entry.name)}"), value)

    rendered = chart.environment(chart.render(values))

    assert set(rendered) == {variable(entry.name) for entry in dataclasses.fields(Settings)}
    found = dataclasses.asdict(from_environment(rendered))
    assert {name: list(v) if isinstance(v, tuple) else v for name, v in found.items()} == wanted


def _another(default: object) -> Any:
    match default:
        case bool():
            return not default
        case int() | float():
            return default + 7
        case _:
            return "something"


def _put(values: dict[str, Any], path: str, value: object) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        values = values.setdefault(folder, {})
    values[name] = value


def test_the_default_values_are_the_operators_own_defaults() -> None:
    found = from_environment(chart.environment(chart.defaults()))

    placed = {"health_address": ":8080", "lease_namespace": chart.NAMESPACE, "lease_name": chart.RELEASE}
    assert found == dataclasses.replace(Settings(), **placed)  # type: ignore[arg-type]
