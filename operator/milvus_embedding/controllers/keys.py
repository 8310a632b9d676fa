"""Reading an API key from its Secret: what counts as one, and the reasons why there is none."""

from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.gateway import found
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.scrub import Scrubber


async def read_key(credential: EmbeddingCredential, world: World, scrubber: Scrubber) -> str:
    """The key, cut of surrounding whitespace and known to the scrubber. Raises Blocked."""
    ref = credential.spec.api_key_secret_ref
    if ref is None:
        raise Blocked(Reason.EXTERNAL, "the key is kept outside of the operator")
    path = "spec.apiKeySecretRef"
    secret = found(await world.read_secret(credential.namespace, ref.name), path, ref.name)
    raw = secret.data.get(ref.key)
    if raw is None:
        raise Blocked(
            Reason.SECRET_KEY_MISSING, f"{path}: Secret {ref.name} has no key {ref.key}; add it or correct {path}.key"
        )
    try:
        value = raw.decode().strip()
    except UnicodeDecodeError:
        raise Blocked(Reason.KEY_INVALID, f"{path}: {ref.key} of Secret {ref.name} is not UTF-8 text") from None
    scrubber.learn(value)
    if not value:
        raise Blocked(Reason.KEY_EMPTY, f"{path}: {ref.key} of Secret {ref.name} is empty; put the API key there")
    # Not only control characters: what cannot go into an HTTP header could not be probed, and would replace a good key.
    if not (value.isascii() and value.isprintable()):
        raise Blocked(
            Reason.KEY_INVALID,
            f"{path}: {ref.key} of Secret {ref.name} has control characters, or others that no key has, inside; "
            "store the bare key, one line",
        )
    return value
