# syntax=docker/dockerfile:1
# The operator's image: Python, the packages of requirements/image.txt, the program. No devkit, no pip, no compiler.
# A release names the base by its digest: --build-arg PYTHON=python:3.11-slim-bookworm@sha256:...
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG SOURCE_DATE_EPOCH=315532800
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}
WORKDIR /src
COPY tools/image_root.sh tools/
COPY requirements/image.txt requirements/image-build.txt requirements/
RUN ["sh", "tools/image_root.sh", "dependencies", "/opt/venv"]
COPY pyproject.toml README.md LICENSE ./
COPY crds crds
COPY operator operator
RUN ["sh", "tools/image_root.sh", "program", "/opt/venv"]

FROM ${PYTHON}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="milvus-embedding-operator" \
      org.opencontainers.image.description="A Kubernetes operator that makes embedding-enabled Milvus collections declarative" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
# What installs packages is not needed to run, and would be to an intruder.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
 && rm -rf /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip*
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["milvus-embedding"]
CMD ["run"]
