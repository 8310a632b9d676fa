"""The API server's place taken by manifests."""

from pathlib import Path

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import OUR_TYPES, SECRETS, Kube, NotFound, Refused
from milvus_embedding.clients.kube.secrets import Conflict, SecretFound, SecretMissing, SecretWrite, WriteRefused
from milvus_embedding.domain.delivery.workload import Component, MilvusResource, Workload
from milvus_embedding.files.directory import ConfigDirectory
from milvus_embedding.files.kube import FileKube
from milvus_embedding.files.manifests import sort
from milvus_embedding.validation.documents import load_text

TEXT = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: EmbeddingFunction
metadata: {name: f, namespace: search, uid: mine, resourceVersion: "7"}
spec: {dashscope: {model: text-embedding-v3}}
status: {observedGeneration: 9}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: search}
stringData: {apikey: sk-1}
"""
FUNCTIONS = OUR_TYPES["EmbeddingFunction"]


def file_kube(folder: ConfigDirectory | None = None) -> FileKube:
    manifests, _ = sort(load_text(TEXT, "a.yaml")[0])
    return FileKube(manifests, folder=None if folder is None else (("search", "rendered"), "milvus", folder))


def write(resource_version: str | None, **data: bytes) -> SecretWrite:
    return SecretWrite(
        namespace="search", name="rendered", labels={}, data=data or {"k": b"v"}, resource_version=resource_version
    )


def version(body: object) -> object:
    assert isinstance(body, dict)
    return body["metadata"]["resourceVersion"]


def test_it_is_a_kube() -> None:
    kube: Kube = file_kube()
    assert kube


async def test_what_only_an_api_server_may_set_is_not_taken_from_the_file() -> None:
    body = await file_kube().get(FUNCTIONS, "search", "f")
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["uid"] != "mine"
    assert metadata["generation"] == 1
    assert "status" not in body


async def test_an_object_has_the_same_uid_in_every_run() -> None:
    bodies = [await file_kube().get(FUNCTIONS, "search", "f") for _ in range(2)]
    assert bodies[0]["metadata"] == bodies[1]["metadata"]


async def test_a_status_is_merged_and_the_object_gets_a_new_version() -> None:
    kube = file_kube()
    first = await kube.patch_status(FUNCTIONS, "search", "f", {"status": {"a": {"b": 1}, "c": 2}})
    patch = {"metadata": {"resourceVersion": version(first)}, "status": {"a": {"d": 3}, "c": None}}
    second = await kube.patch_status(FUNCTIONS, "search", "f", patch)
    assert second["status"] == {"a": {"b": 1, "d": 3}}
    assert version(second) != version(first)


async def test_a_status_decided_on_an_old_version_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        await file_kube().patch_status(FUNCTIONS, "search", "f", {"metadata": {"resourceVersion": "0"}, "status": {}})


async def test_what_is_not_in_the_files_does_not_exist() -> None:
    kube = file_kube()
    with pytest.raises(NotFound, match="search/other is not in the manifests"):
        await kube.get(FUNCTIONS, "search", "other")
    assert await kube.read_secret("search", "other") == SecretMissing()
    assert await kube.read_config_map("search", "other") == SecretMissing()


async def test_lists_hold_the_objects_of_a_namespace() -> None:
    kube = file_kube()
    for namespace, number in ((None, 1), ("search", 1), ("other", 0)):
        assert [len(page.items) async for page in kube.pages(FUNCTIONS, namespace)] == [number]
    assert [len(page.items) async for page in kube.pages(SECRETS, None)] == [1]


async def test_a_written_secret_is_told_and_read_back() -> None:
    kube, told = file_kube(), list[tuple[Key, int]]()
    kube.on_secret = lambda key, number: told.append((key, number))
    written = await kube.write_secret(write(None))
    assert told == [(Key("Secret", "search", "rendered"), int(written))]
    read = await kube.read_secret("search", "rendered")
    assert isinstance(read, SecretFound)
    assert (read.data, read.resource_version) == ({"k": b"v"}, written)


async def test_a_secret_that_changed_meanwhile_is_a_conflict() -> None:
    kube = file_kube()
    await kube.write_secret(write(None))
    with pytest.raises(Conflict):
        await kube.write_secret(write(None))
    with pytest.raises(Conflict):
        await kube.write_secret(write("0"))


async def test_the_rendered_secret_is_kept_in_its_folder_for_the_next_run(tmp_path: Path) -> None:
    folder = ConfigDirectory(tmp_path / "config")
    data = {"embedding.yaml": b"credential: {}\n", "state.json": b"{}"}
    await file_kube(folder).write_secret(write(None, **data))
    read = await file_kube(folder).read_secret("search", "rendered")
    assert isinstance(read, SecretFound)
    assert read.data == data
    assert read.labels == {"embedding.milvus.io/connection": "milvus"}


async def test_a_folder_that_cannot_be_written_refuses_and_nothing_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file is in the way")
    kube = file_kube(ConfigDirectory(tmp_path / "config"))
    with pytest.raises(WriteRefused, match="cannot be written: File exists"):
        await kube.write_secret(write(None))
    assert await kube.read_secret("search", "rendered") == SecretMissing()


async def test_there_are_no_leases() -> None:
    with pytest.raises(Refused, match="no Leases"):
        await file_kube().read_lease("search", "lease")


async def test_without_a_cluster_there_are_no_workloads() -> None:
    kube = file_kube()
    workload = Workload(namespace="search", name="proxy", uid="u", resource_version="1", component=Component.PROXY)
    milvus = MilvusResource(namespace="search", name="m", uid="u", resource_version="1")
    for act in (
        kube.list_workloads("search", ""),
        kube.list_pods("search", ""),
        kube.annotate_workload(workload, "h"),
        kube.read_milvus("search", "m"),
        kube.apply_milvus(milvus, {}),
    ):
        with pytest.raises(NotFound, match="without a cluster"):
            await act
