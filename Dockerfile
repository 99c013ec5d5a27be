# One image for both programs. BASE is any image with Python 3.11 or newer and its venv module.
ARG BASE=python:3.13-slim
FROM ${BASE} AS build
RUN python3 -m venv /opt/kubemacpool
COPY requirements.txt /tmp/requirements.txt
RUN /opt/kubemacpool/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt \
 && /opt/kubemacpool/bin/pip uninstall --yes pip

FROM ${BASE}
LABEL org.opencontainers.image.title="kubemacpool" \
      org.opencontainers.image.description="A MAC-address pool for Kubernetes pods and KubeVirt virtual machines" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/kubemacpool /opt/kubemacpool
COPY crds/*.py /app/crds/
COPY webhook/*.py /app/webhook/
COPY controller/*.py /app/controller/
ENV PATH=/opt/kubemacpool/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 107:107
CMD ["python", "-m", "webhook"]
