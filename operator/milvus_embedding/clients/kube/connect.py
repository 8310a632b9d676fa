"""Finds the API server and the credentials: a kubeconfig if one is named or present, else the pod's service account."""

import os
from pathlib import Path

from kubernetes.aio import client, config

_POOL = 64


class NoClusterError(Exception):
    """No way to reach an API server is configured."""


def kubeconfig_path(named: str = "") -> str:
    """The kubeconfig in effect: `named`, else KUBECONFIG, else the one in the home folder; "" in a pod."""
    if named or (named := os.environ.get("KUBECONFIG", "")):
        return named
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return ""
    default = Path.home() / ".kube" / "config"
    return str(default) if default.exists() else ""


async def connect(kubeconfig: str = "", context: str = "") -> client.ApiClient:
    """A client for `kubeconfig_path(kubeconfig)`, in its current context or the one named. The caller closes it.

    Raises:
        NoClusterError: there is neither a usable kubeconfig nor a service account.
    """
    configuration = client.Configuration()
    path = kubeconfig_path(kubeconfig)
    try:
        if path:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=path, context=context or None, client_configuration=configuration, persist_config=False
            )
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        if path:
            which = f"context {context} of kubeconfig {path}" if context else f"kubeconfig {path}"
            text = f"{which} cannot be used ({type(error).__name__}); name another one with --kubeconfig"
        else:
            text = "this is no pod, and there is no kubeconfig; name one with --kubeconfig or KUBECONFIG"
        raise NoClusterError(text) from None
    configuration.connection_pool_maxsize = _POOL
    api = client.ApiClient(configuration)
    api.user_agent = "milvus-embedding-operator"
    return api


def namespace_of(kubeconfig: str = "", context: str = "") -> str:
    """The namespace that a context works in, `default` if it names none.

    Raises:
        NoClusterError: the kubeconfig cannot be read, or has no such context.
    """
    path = kubeconfig_path(kubeconfig)
    if not path:
        return "default"
    try:
        contexts, current = config.list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        text = f"kubeconfig {path} cannot be used ({type(error).__name__}); name another one with --kubeconfig"
        raise NoClusterError(text) from None
    chosen = next((c for c in contexts if c["name"] == context), None) if context else current
    if chosen is None:
        known = ", ".join(str(c["name"]) for c in contexts[:8])
        raise NoClusterError(f"kubeconfig {path} has no context {context}; it has {known}")
    return str(chosen["context"].get("namespace") or "default")
