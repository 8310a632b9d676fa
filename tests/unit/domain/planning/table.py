"""A row of the table of spec changes: what is declared first, what then, and what that comes to at each version.

Expectations are `path class`, a trailing `!` for what the server cannot do; one for all four versions or one for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from milvus_embedding.domain.desired import Desired
from tests.unit.domain.planning.scenes import ALI, MODELS, wanted

Body = Mapping[str, object]


@dataclass(frozen=True)
class Change:
    """`old` and `new` are added to BASE. `also`: paths of further steps. `models`: what EmbeddingFunctions declare
    before and after. `answer`: the reason of Ready, where it is neither Ready nor what the class brings.
    """

    old: Body
    new: Body
    expected: tuple[str, str, str, str]
    also: tuple[str, ...] = ()
    models: tuple[Mapping[str, Body], Mapping[str, Body]] = (MODELS, MODELS)
    answer: str = ""

    @cached_property
    def before(self) -> Desired:
        return wanted(self.old, models=self.models[0])

    @cached_property
    def after(self) -> Desired:
        return wanted(self.new, models=self.models[1])


def spec(
    old: Body,
    new: Body,
    *expected: str,
    also: tuple[str, ...] = (),
    models: tuple[Mapping[str, Body], Mapping[str, Body]] = (MODELS, MODELS),
    answer: str = "",
) -> Change:
    """`expected`: one answer for all four versions, or one for each."""
    four = expected * 4 if len(expected) == 1 else expected
    assert len(four) == 4
    return Change(old, new, (four[0], four[1], four[2], four[3]), also, models, answer)


def embedding(**dashscope: object) -> dict[str, object]:
    """The function with its model declared inline, and its output without a dim of its own."""
    return functions({**ALI, "textEmbedding": {"dashscope": {"model": "text-embedding-v3", **dashscope}}})


def key(name: str) -> dict[str, object]:
    return {"credentialRef": {"name": name, "namespace": "milvus"}}


def since_2_6_7(path: str, old: str, new: str) -> tuple[str, str, str, str]:
    """One answer below 2.6.7, one from there on."""
    return (f"{path} {old}", f"{path} {new}", f"{path} {new}", f"{path} {new}")


def since_3(path: str, old: str, new: str) -> tuple[str, str, str, str]:
    return (f"{path} {old}", f"{path} {old}", f"{path} {old}", f"{path} {new}")


def functions(*items: Body) -> dict[str, object]:
    return {"functions": list(items)}
