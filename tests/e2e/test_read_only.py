"""`run --read-only` against a real API server and a Milvus: it tells how everything is, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.stage import COLLECTION, CONNECTION, Stage

if TYPE_CHECKING:
    from tests.e2e.lab import Lab


def test_what_is_there_stays_as_it_is_and_what_is_not_is_not_made(own_lab: Lab) -> None:
    lab = own_lab
    with Stage(lab) as stage:
        with lab.operator() as operator:
            operator.wait_ready()
            stage.bring_up()
        written = lab.secret_data(stage.namespace, "milvus-embedding-config")
        before = stage.site.milvus.changing_calls
        with lab.operator("--read-only") as operator:
            operator.wait_ready()
            stage.apply(stage.collection("more", deletionPolicy="Delete"))
            rotated = lab.new_key("rotated")
            stage.site.dashscope.keys.add(rotated)
            stage.apply(stage.secret(rotated))
            stage.reason(COLLECTION, "ReadOnly", name="more")
            stage.reason(CONNECTION, "RenderFailed")
            assert stage.condition(COLLECTION)["status"] == "True"

        assert stage.site.milvus.changing_calls == before
        assert lab.secret_data(stage.namespace, "milvus-embedding-config") == written
        body = lab.get(COLLECTION, stage.namespace, "more") or {}
        assert "finalizers" not in body["metadata"]
