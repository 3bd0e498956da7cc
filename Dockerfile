# Every part of Canopy, a target a role. Each has the packages that it imports, and all of the code.
ARG BASE=python:3.11-slim-bookworm

# What installs, and what lists an environment. Nothing of it goes on.
FROM ${BASE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv PATH=/opt/tools/bin:$PATH
COPY requirements/tools.txt requirements/image.txt docker/environment /build/
RUN --mount=type=cache,target=/cache \
    python3 -m venv /opt/tools \
    && /opt/tools/bin/pip install --quiet --require-hashes -r /build/tools.txt \
    && uv pip install --quiet --python /opt/tools/bin/python --require-hashes -r /build/image.txt

# The environment of each part, out of its own hashed lock.
FROM tools AS airflow-packages
COPY requirements/airflow.txt /build/
RUN --mount=type=cache,target=/cache /build/environment airflow

FROM tools AS docs-packages
COPY requirements/docs.txt /build/
RUN --mount=type=cache,target=/cache /build/environment docs

FROM tools AS mlflow-packages
COPY requirements/mlflow.txt /build/
RUN --mount=type=cache,target=/cache /build/environment mlflow

FROM tools AS monitor-packages
COPY requirements/monitor.txt /build/
RUN --mount=type=cache,target=/cache /build/environment monitor

FROM tools AS pages-packages
COPY requirements/pages.txt /build/
RUN --mount=type=cache,target=/cache /build/environment pages

FROM tools AS serving-packages
COPY requirements/serving.txt /build/
RUN --mount=type=cache,target=/cache /build/environment serving

FROM tools AS source-packages
COPY requirements/source.txt /build/
RUN --mount=type=cache,target=/cache /build/environment source

FROM tools AS ui-packages
COPY requirements/ui.txt /build/
RUN --mount=type=cache,target=/cache /build/environment ui

# The project's own name and version, and its command: the code itself stays where it is copied to.
FROM tools AS compiled
COPY . /opt/canopy
RUN uv pip install --quiet --python /opt/tools/bin/python --target /opt/metadata --offline --no-deps \
        --no-build-isolation --editable /opt/canopy \
    && sed -i '1s:.*:#!/opt/venv/bin/python:' /opt/metadata/bin/canopy \
    && python3 -m compileall -q /opt/canopy

FROM scratch AS code
COPY --from=compiled /opt/canopy /opt/canopy
COPY --from=compiled /opt/metadata /opt/metadata

# What every role has: a user without rights. Its packages, then the code, are what a role adds.
# A named volume takes the mode of what it is mounted on: any user of the host may be the one that runs the parts.
FROM ${BASE} AS canopy
ENV PATH=/opt/venv/bin:/opt/metadata/bin:$PATH PYTHONPATH=/opt/canopy:/opt/metadata PYTHONUNBUFFERED=1 HOME=/tmp \
    CANOPY_HOME=/var/lib/canopy AIRFLOW_HOME=/tmp/airflow GIT_PYTHON_REFRESH=quiet GX_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=1 ORT_DISABLE_TELEMETRY=1 MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false
LABEL org.opencontainers.image.title="Canopy" \
    org.opencontainers.image.description="From an HTTP API that hands out batches to a model and a service that answers with it" \
    org.opencontainers.image.licenses="Apache-2.0" \
    canopy.sbom="/opt/venv/share/canopy/sbom.cdx.json"
RUN groupadd --gid 10001 canopy && useradd --uid 10001 --gid canopy --no-create-home --home-dir /tmp canopy \
    && install -d -m 1777 /var/lib/canopy /var/lib/canopy/airflow-logs /var/lib/canopy/audits /var/lib/canopy/incoming \
        /var/lib/canopy/models /var/lib/canopy/monitor /var/lib/canopy/site /var/lib/canopy/simulator
WORKDIR /var/lib/canopy
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "deploy.containers.entrypoint"]

# Links to DuckDB's extensions, and dbt's manifest: a read-only root has no room for them later.
FROM canopy AS airflow
COPY --from=airflow-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
USER 0:0
RUN CANOPY_HOME=/tmp/made python -m canopy lake manifest >/dev/null \
    && install -D -m 0644 /tmp/made/dbt/target/manifest.json /opt/venv/share/canopy/manifest.json \
    && rm -rf /tmp/made /tmp/airflow
USER 10001:10001
# Last, so that nothing of the above is made anew for another name of it.
ARG REVISION=unknown
ENV TRAINING_CODE_REVISION="${REVISION}" TRAINING_LOCK_FILE=/opt/canopy/requirements/runtime.txt
CMD ["airflow", "version"]
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://airflow-api:8080/api/v2/monitor/health"]

# Makes buckets, users, databases and their newest form, then ends.
FROM airflow AS init
CMD ["python", "-m", "deploy.containers.init"]
HEALTHCHECK NONE

FROM canopy AS mlflow
COPY --from=mlflow-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
CMD ["python", "-m", "deploy.servers.mlflow_server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1", \
    "--artifacts-destination", "s3://mlflow"]
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:5000/health"]

FROM canopy AS serving
COPY --from=serving-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
CMD ["python", "-m", "serving"]
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8000/live"]

FROM canopy AS ui
COPY --from=ui-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
USER 0:0
RUN python -c 'from lake.catalog.extensions import extension_directory as make; make()'
USER 10001:10001
CMD ["python", "-m", "ui", "--server.address", "0.0.0.0", "--server.port", "8501"]
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8501/_stcore/health"]

FROM canopy AS pages
COPY --from=pages-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
USER 0:0
RUN python -m canopy docs /opt/pages
USER 10001:10001

FROM canopy AS docs
COPY --from=docs-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
COPY --from=pages /opt/pages /opt/canopy/pages
CMD ["python", "-m", "deploy.site.serve", "--host", "0.0.0.0", "--port", "8088", "--pages", "/opt/canopy/pages"]
EXPOSE 8088
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8088/live"]

FROM canopy AS monitor
COPY --from=monitor-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
USER 0:0
RUN python -c 'from lake.catalog.extensions import extension_directory as make; make()'
USER 10001:10001
CMD ["python", "-m", "deploy.monitor", "--host", "0.0.0.0", "--port", "9108"]
EXPOSE 9108
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:9108/live"]

FROM canopy AS source
COPY --from=source-packages /opt/venv /opt/venv
COPY --from=code /opt /opt
ENV SIMULATOR_HOST=0.0.0.0 SIMULATOR_STATE=/var/lib/canopy/simulator/timestamps.json
CMD ["python", "-m", "source.simulator"]
EXPOSE 8010
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8010/"]
