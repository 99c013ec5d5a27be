# One image for both programs. BASE is any image with Python 3.11 or newer and its venv module.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
USER 0
RUN python3 -m venv --copies /opt/kubemacpool
COPY requirements.txt /tmp/requirements.txt
RUN /opt/kubemacpool/bin/pip install --no-cache-dir --no-compile --require-hashes -r /tmp/requirements.txt \
 && /opt/kubemacpool/bin/python -m pip uninstall --quiet --yes setuptools pip
# Compiled here, because the file system of the container is read-only.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/kubemacpool/lib
COPY kube /app/kube
COPY crds/*.py /app/crds/
COPY webhook /app/webhook
COPY controller /app/controller
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app

FROM ${BASE}
USER 0
# An intruder finds no tool to install packages.
RUN rm -rf /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/lib/python3*/site-packages/pip* \
      /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip /usr/share/python-wheels
COPY --from=build /opt/kubemacpool /opt/kubemacpool
COPY --from=build /app /app
ENV PATH=/opt/kubemacpool/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 107:107
CMD ["python", "-m", "webhook"]
# Last, so that another commit reuses the layers above.
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="kubemacpool" \
      org.opencontainers.image.description="A MAC-address pool for Kubernetes pods and KubeVirt virtual machines" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
