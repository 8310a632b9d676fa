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


async def connect(kubeconfig: str = "") -> client.ApiClient:
    """A client for `kubeconfig_path(kubeconfig)`. The caller closes it.

    Raises:
        NoClusterError: there is neither a usable kubeconfig nor a service account.
    """
    configuration = client.Configuration()
    path = kubeconfig_path(kubeconfig)
    try:
        if path:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=path, client_configuration=configuration, persist_config=False
            )
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        if path:
            text = f"kubeconfig {path} cannot be used ({type(error).__name__}); name another one with --kubeconfig"
        else:
            text = "this is no pod, and there is no kubeconfig; name one with --kubeconfig or KUBECONFIG"
        raise NoClusterError(text) from None
    configuration.connection_pool_maxsize = _POOL
    api = client.ApiClient(configuration)
    api.user_agent = "milvus-embedding-operator"
    return api
