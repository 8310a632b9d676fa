"""Deployments, pods and Milvus resources as the API server has them, and what of them is taken."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.clients.kube import workloads
from milvus_embedding.domain.delivery.workload import (
    Component,
    MilvusResource,
    Mount,
    Template,
    Variable,
    VariableSource,
    Volume,
    Workload,
)

HASH = "embedding.milvus.io/config-hash"
SECRET_VALUE = "sk-in-clear-text"
Body = dict[str, object]


def deployment(*, labels: Mapping[str, str] | None = None, pod: Body | None = None, **spec: object) -> Body:
    template = {"metadata": {"labels": {"a": "b"}, "annotations": {HASH: "h1"}}, "spec": pod or {"containers": []}}
    metadata = {"namespace": "ns", "name": "proxy", "uid": "u", "resourceVersion": "7", "generation": 3}
    return {
        "metadata": {**metadata, "labels": {"component": "proxy"} if labels is None else dict(labels)},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
        "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
    }


def template(**pod: object) -> Template:
    return workloads.workload(deployment(pod=dict(pod))).template


def test_a_deployment_is_read() -> None:
    found = workloads.workload(deployment(paused=True))
    assert (found.namespace, found.name, found.uid, found.resource_version) == ("ns", "proxy", "u", "7")
    assert (found.component, found.replicas, found.is_paused) == (Component.PROXY, 2, True)
    assert (found.selector, found.template.config_hash, found.milvus) == ("a=b", "h1", "")
    assert (found.progress.is_observed, found.progress.replicas) == (True, 2)
    assert (found.progress.updated, found.progress.available, found.progress.failure) == (1, 2, "")


@pytest.mark.parametrize(
    ("labels", "component"),
    [
        pytest.param({"component": "datanode"}, Component.DATA_NODE, id="the label of Milvus' chart"),
        pytest.param({"app.kubernetes.io/component": "standalone"}, Component.STANDALONE, id="that of milvus-operator"),
        pytest.param({"component": "querynode"}, None, id="a component that does not embed is none"),
        pytest.param(
            {"app.kubernetes.io/component": "database", "component": "proxy"},
            Component.PROXY,
            id="a value that is none of ours gives way to the other label",
        ),
        pytest.param({}, None, id="no label at all"),
    ],
)
def test_a_component_is_told_by_either_label(labels: dict[str, str], component: Component | None) -> None:
    assert workloads.workload(deployment(labels=labels)).component is component


def test_a_component_is_told_by_the_pod_template_if_the_deployment_does_not() -> None:
    body = deployment(labels={}, template={"metadata": {"labels": {"component": "proxy"}}})
    assert workloads.workload(body).component is Component.PROXY


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        pytest.param({"apiVersion": "milvus.io/v1beta1", "kind": "Milvus", "name": "m"}, "m", id="a Milvus owns it"),
        pytest.param({"apiVersion": "milvus.io.evil/v1", "kind": "Milvus", "name": "m"}, "", id="of another group"),
        pytest.param({"apiVersion": "milvus.io/v1beta1", "kind": "Other", "name": "m"}, "", id="of another kind"),
    ],
)
def test_the_owning_milvus_is_named(owner: Body, name: str) -> None:
    body = deployment()
    body["metadata"] = {"ownerReferences": [{"apiVersion": "v1", "kind": "Other", "name": "o"}, owner]}
    assert workloads.workload(body).milvus == name


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        pytest.param({"key": "k", "operator": "In", "values": ["x", "y"]}, "a=b,k in (x,y)", id="one of some values"),
        pytest.param({"key": "k", "operator": "NotIn", "values": ["x"]}, "a=b,k notin (x)", id="none of some values"),
        pytest.param({"key": "k", "operator": "Exists"}, "a=b,k", id="any value"),
        pytest.param({"key": "k", "operator": "DoesNotExist"}, "a=b,!k", id="no value"),
    ],
)
def test_a_selector_becomes_text(expression: Body, text: str) -> None:
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [expression]}
    assert workloads.workload(deployment(selector=selector)).selector == text


def test_mounts_and_references_are_read_and_literal_values_are_not_kept() -> None:
    secret_ref = {"name": "s", "key": "k", "optional": True}
    env = [
        {"name": "LITERAL", "value": SECRET_VALUE},
        {"name": "EMPTY"},
        {"name": "REF", "valueFrom": {"secretKeyRef": secret_ref}},
        {"name": "MAP", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
    ]
    sources = [{"secretRef": {"name": "s", "optional": True}, "prefix": "P_"}, {"configMapRef": {"name": "c"}}]
    mounts = [{"name": "v", "mountPath": "/milvus/configs/_test.yaml", "subPath": "embedding.yaml"}]
    found = template(containers=[{"name": "proxy", "env": env, "envFrom": sources, "volumeMounts": mounts}])
    container = found.containers[0]
    assert container.mounts == (Mount(volume="v", path="/milvus/configs/_test.yaml", sub_path="embedding.yaml"),)
    assert container.variables == (
        Variable(name="LITERAL", is_literal=True),
        Variable(name="EMPTY", is_literal=True),
        Variable(name="REF", secret="s", key="k", optional=True),
        Variable(name="MAP"),
    )
    assert container.sources == (VariableSource(secret="s", prefix="P_", optional=True),)
    assert SECRET_VALUE not in repr(found)


@pytest.mark.parametrize(
    ("container", "directory"),
    [
        pytest.param({}, "/milvus/configs", id="that of the image"),
        pytest.param({"workingDir": "/opt/milvus/"}, "/opt/milvus/configs", id="below the working directory"),
        pytest.param(
            {"workingDir": "/opt", "env": [{"name": "MILVUSCONF", "value": "/etc/milvus/"}]},
            "/etc/milvus",
            id="where a variable says",
        ),
    ],
)
def test_the_folder_of_configuration_files(container: Body, directory: str) -> None:
    assert template(containers=[container]).containers[0].config_dir == directory


def test_volumes_of_secrets_and_config_maps_are_read_also_within_projected_ones() -> None:
    items = [{"key": "embedding.yaml", "path": "e.yaml"}]
    volumes = [
        {"name": "whole", "secret": {"secretName": "s"}},
        {"name": "part", "secret": {"secretName": "s", "items": items, "optional": True}},
        {"name": "map", "configMap": {"name": "c"}},
        {"name": "scratch", "emptyDir": {}},
        {
            "name": "both",
            "projected": {"sources": [{"secret": {"name": "s", "items": items}}, {"configMap": {"name": "c"}}]},
        },
    ]
    assert template(volumes=volumes).volumes == (
        Volume(name="whole", secret="s"),
        Volume(name="part", secret="s", items={"embedding.yaml": "e.yaml"}, optional=True),
        Volume(name="map", config_map="c"),
        Volume(name="both", secret="s", items={"embedding.yaml": "e.yaml"}),
        Volume(name="both", config_map="c"),
    )


@pytest.mark.parametrize(
    ("replicas", "strategy", "interrupts"),
    [
        pytest.param(1, {}, False, id="the default surges first"),
        pytest.param(1, {"type": "Recreate"}, True, id="Recreate takes all away"),
        pytest.param(1, {"rollingUpdate": {"maxUnavailable": 1}}, True, id="one of one may be missing"),
        pytest.param(2, {"rollingUpdate": {"maxUnavailable": 1}}, False, id="one of two may be missing"),
        pytest.param(
            3, {"rollingUpdate": {"maxUnavailable": "99%"}}, False, id="a share that may be missing rounds down"
        ),
        pytest.param(3, {"rollingUpdate": {"maxUnavailable": "100%"}}, True, id="all may be missing"),
        pytest.param(
            1, {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "1%"}}, False, id="a share of surge rounds up"
        ),
        pytest.param(
            1,
            {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}},
            True,
            id="with neither, Kubernetes lets one be missing",
        ),
        pytest.param(0, {"rollingUpdate": {"maxUnavailable": 1}}, False, id="none can be missing of none"),
    ],
)
def test_a_roll_interrupts_if_it_may_take_all_pods_away(replicas: int, strategy: Body, interrupts: bool) -> None:
    assert workloads.workload(deployment(replicas=replicas, strategy=strategy)).interrupts is interrupts


def test_replicas_that_are_not_given_are_one() -> None:
    body = deployment()
    body["spec"] = {"template": {}}
    assert workloads.workload(body).replicas == 1


@pytest.mark.parametrize(
    ("conditions", "failure"),
    [
        pytest.param(
            [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
            "ProgressDeadlineExceeded",
            id="too slow",
        ),
        pytest.param(
            [
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"},
            ],
            "FailedCreate",
            id="a refused pod tells more than the time that passed",
        ),
        pytest.param([{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}], "", id="well"),
        pytest.param(
            [{"type": "ReplicaFailure", "status": "True", "reason": "a sentence with sk-1"}], "", id="no single word"
        ),
    ],
)
def test_a_failure_is_one_word(conditions: list[Body], failure: str) -> None:
    assert workloads.workload({**deployment(), "status": {"conditions": conditions}}).progress.failure == failure


def test_a_status_of_a_former_generation_is_not_observed() -> None:
    assert not workloads.workload({**deployment(), "status": {"observedGeneration": 2}}).progress.is_observed


def pod(**status: object) -> Body:
    metadata = {"name": "p", "creationTimestamp": "2026-01-02T03:04:05Z", "annotations": {HASH: "h1", "other": "x"}}
    return {"metadata": metadata, "status": status}


def test_a_pod_is_read() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    found = workloads.pod(pod(phase="Running", conditions=ready))
    assert (found.name, found.created) == ("p", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert (found.config_hash, found.is_ready, found.trouble) == ("h1", True, "")
    assert (found.is_terminating, found.has_ended) == (False, False)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_ended_serves_no_more(phase: str) -> None:
    assert workloads.pod(pod(phase=phase)).has_ended


def test_a_pod_that_is_deleted_is_terminating() -> None:
    body = pod()
    body["metadata"] = {"creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:05:05Z"}
    assert workloads.pod(body).is_terminating


def test_a_pod_was_started_last_when_the_last_of_its_containers_was() -> None:
    def running(at: str) -> Body:
        return {"state": {"running": {"startedAt": at}}}

    found = workloads.pod(
        pod(containerStatuses=[running("2026-01-02T03:05:00Z"), running("2026-01-03T00:00:00Z"), waiting("Error")])
    )
    assert found.started == datetime(2026, 1, 3, tzinfo=UTC)
    assert workloads.pod(pod()).started is None


def test_a_pod_without_a_creation_time_is_no_pod() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        workloads.pod({"metadata": {"name": "p"}})


def waiting(reason: str) -> Body:
    return {"state": {"waiting": {"reason": reason}}}


def ended(reason: str, code: int) -> Body:
    return {"state": {"terminated": {"reason": reason, "exitCode": code}}}


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        pytest.param({"containerStatuses": [waiting("ImagePullBackOff")]}, "ImagePullBackOff", id="an image"),
        pytest.param({"containerStatuses": [waiting("ContainerCreating")]}, "ContainerCreating", id="an ordinary wait"),
        pytest.param(
            {"containerStatuses": [waiting("ContainerCreating"), waiting("CrashLoopBackOff")]},
            "CrashLoopBackOff",
            id="a failure before an ordinary wait",
        ),
        pytest.param(
            {"initContainerStatuses": [ended("Error", 1)], "containerStatuses": [waiting("PodInitializing")]},
            "Error",
            id="an init container that failed",
        ),
        pytest.param(
            {
                "initContainerStatuses": [ended("Completed", 0)],
                "containerStatuses": [waiting("CreateContainerConfigError")],
            },
            "CreateContainerConfigError",
            id="an init container that is done is no trouble",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
            "Unschedulable",
            id="no node",
        ),
        pytest.param(
            {"containerStatuses": [{"restartCount": 3, "ready": False, "state": {"running": {}}}]},
            "CrashLoopBackOff",
            id="a container that was started again and is not ready yet",
        ),
        pytest.param(
            {"containerStatuses": [{"restartCount": 3, "ready": False, **ended("Error", 1)}]},
            "CrashLoopBackOff",
            id="one that is started again and again, as it ends",
        ),
        pytest.param({"containerStatuses": [waiting("a sentence")]}, "", id="no single word"),
        pytest.param({}, "", id="nothing is told"),
    ],
)
def test_the_trouble_of_a_pod_is_one_word(status: Body, trouble: str) -> None:
    assert workloads.pod(pod(**status)).trouble == trouble


def resource(spec: Body, *, annotations: Body | None = None, **status: object) -> MilvusResource:
    metadata = {"namespace": "ns", "name": "m", "uid": "u", "resourceVersion": "7", "annotations": annotations or {}}
    return workloads.milvus({"metadata": metadata, "spec": spec, "status": status})


def test_a_cluster_embeds_in_proxy_and_data_node() -> None:
    parts = {"proxy": {"podAnnotations": {HASH: "h1", "x": "y"}}, "queryNode": {"podAnnotations": {HASH: "h2"}}}
    found = resource({"mode": "cluster", "components": parts}, endpoint="m-milvus.ns:19530", status="Healthy")
    assert found.components == (Component.PROXY, Component.DATA_NODE)
    assert found.config_hashes == {Component.PROXY: "h1"}
    assert (found.endpoint, found.health, found.paused) == ("m-milvus.ns:19530", "Healthy", ())


def test_any_other_mode_is_standalone_and_a_new_resource_tells_nothing_more() -> None:
    found = resource({})
    assert (found.components, found.config_hashes) == ((Component.STANDALONE,), {})
    assert (found.endpoint, found.health) == ("", "")


@pytest.mark.parametrize("endpoint", ["http://user:pw@host", "host:19530/path", "a b", 7])
def test_an_endpoint_that_is_no_address_is_none(endpoint: object) -> None:
    assert resource({}, endpoint=endpoint).endpoint == ""


def test_what_pauses_a_milvus_is_told_by_its_path() -> None:
    parts = {"paused": True, "proxy": {"paused": True}, "queryNode": {"paused": True}, "dataNode": {"paused": False}}
    found = resource({"mode": "cluster", "components": parts}, annotations={"milvus.io/pause-reconcile": "true"})
    assert found.paused == (
        "metadata.annotations[milvus.io/pause-reconcile]",
        "spec.components.paused",
        "spec.components.proxy.paused",
    )


def test_a_roll_is_one_annotation_on_the_version_that_was_read() -> None:
    read = Workload(namespace="ns", name="proxy", uid="u", resource_version="7", component=Component.PROXY)
    assert workloads.annotation_patch(read, "h2") == {
        "metadata": {"uid": "u", "resourceVersion": "7"},
        "spec": {"template": {"metadata": {"annotations": {HASH: "h2"}}}},
    }


def test_what_is_applied_to_a_milvus_is_our_annotations_and_nothing_else() -> None:
    read = resource({"mode": "cluster"})
    metadata = {"name": "m", "namespace": "ns", "uid": "u", "resourceVersion": "7"}
    head = {"apiVersion": "milvus.io/v1beta1", "kind": "Milvus", "metadata": metadata}
    applied = workloads.milvus_configuration(read, {Component.DATA_NODE: "h2"})
    assert applied == {**head, "spec": {"components": {"dataNode": {"podAnnotations": {HASH: "h2"}}}}}
    assert workloads.milvus_configuration(read, {}) == head


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("metadata", "spec", "status", "template", "containers", "volumes", "strategy", "selector", "env", "name")
shapeless = st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6)


@given(shapeless)
def test_no_shape_breaks_the_reading(body: Body) -> None:
    workloads.workload(body)
    workloads.milvus(body)
