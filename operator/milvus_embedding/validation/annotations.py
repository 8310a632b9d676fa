"""The annotations of one object, at the lines where they stand."""

from collections.abc import Iterator

from milvus_embedding.api.annotations import RELEASE_TO
from milvus_embedding.api.collection import AdoptionPolicy, MilvusCollection
from milvus_embedding.domain.annotation_values import mistake, released_to
from milvus_embedding.validation.inventory import AnyResource
from milvus_embedding.validation.problems import Check, Problem


def annotation_problems(resource: AnyResource) -> Iterator[Problem]:
    """Yield a problem for each annotation of ours that the operator would refuse, or pass over in silence."""
    for name, value in resource.metadata.annotations.items():
        text = mistake(name, value, kind=resource.key.kind)
        if name == RELEASE_TO and value.strip() and isinstance(resource, MilvusCollection):
            text = _release_mistake(value.strip(), resource)
        if text:
            yield Problem(check=Check.ANNOTATIONS, path=("metadata", "annotations", name), message=text)


def _release_mistake(value: str, collection: MilvusCollection) -> str:
    observes = collection.spec.adoption_policy is AdoptionPolicy.OBSERVE
    try:
        released_to(value, place=(collection.namespace, collection.name), observes=observes)
    except ValueError as error:
        return str(error)
    return ""
