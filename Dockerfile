# Every part of Canopy, a target a role. All share one environment, which is stored once.
ARG BASE=python:3.11-slim-bookworm

# The environment out of the hashed lock, and the list of what is in it. Only /opt/venv goes on.
FROM ${BASE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv
COPY requirements/tools.txt requirements/image.txt requirements/runtime.txt /build/
RUN --mount=type=cache,target=/cache \
    python3 -m venv /opt/tools \
    && /opt/tools/bin/pip install --quiet --require-hashes -r /build/tools.txt \
    && /opt/tools/bin/uv pip install --quiet --python /opt/tools/bin/python --require-hashes -r /build/image.txt \
    && /opt/tools/bin/uv venv --quiet --python python3 /opt/venv \
    && /opt/tools/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes --compile-bytecode \
        -r /build/runtime.txt \
    && mkdir -p /opt/venv/share/canopy \
    && /opt/tools/bin/cyclonedx-py environment -o /opt/venv/share/canopy/sbom.cdx.json /opt/venv

# The project's own name and version, and its command: the code itself stays where it is copied to.
FROM environment AS metadata
COPY . /opt/canopy
RUN /opt/tools/bin/uv pip install --quiet --python /opt/venv/bin/python --target /opt/metadata --offline --no-deps \
    --no-build-isolation --editable /opt/canopy

# What every role has: the environment, the code, a user without rights.
FROM ${BASE} AS canopy
COPY --from=environment /opt/venv /opt/venv
COPY --from=metadata /opt/metadata /opt/metadata
COPY . /opt/canopy
ENV PATH=/opt/venv/bin:/opt/metadata/bin:$PATH PYTHONPATH=/opt/canopy:/opt/metadata PYTHONUNBUFFERED=1 HOME=/tmp \
    CANOPY_HOME=/var/lib/canopy TRAINING_LOCK_FILE=/opt/canopy/requirements/runtime.txt \
    AIRFLOW_HOME=/tmp/airflow GIT_PYTHON_REFRESH=quiet GX_ANALYTICS_ENABLED=false DO_NOT_TRACK=1 ORT_DISABLE_TELEMETRY=1 \
    MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false DBT_SEND_ANONYMOUS_USAGE_STATS=false
# Links to DuckDB's extensions, the code compiled, dbt's manifest: a read-only root has no room for them later.
# A named volume takes the mode of what it is mounted on: any user of the host may be the one that runs the parts.
RUN groupadd --gid 10001 canopy && useradd --uid 10001 --gid canopy --no-create-home --home-dir /tmp canopy \
    && python -m compileall -q /opt/canopy \
    && CANOPY_HOME=/tmp/made python -m canopy lake manifest >/dev/null \
    && install -D -m 0644 /tmp/made/dbt/target/manifest.json /opt/venv/share/canopy/manifest.json \
    && rm -rf /tmp/made /tmp/airflow \
    && install -d -m 1777 /var/lib/canopy /var/lib/canopy/airflow-logs /var/lib/canopy/audits /var/lib/canopy/incoming \
        /var/lib/canopy/models /var/lib/canopy/monitor /var/lib/canopy/site /var/lib/canopy/simulator
# Last, so that nothing of the above is made anew for another name of it.
ARG REVISION=unknown
ARG VERSION=0.1.0
ENV TRAINING_CODE_REVISION="${REVISION}"
LABEL org.opencontainers.image.title="Canopy" \
    org.opencontainers.image.description="From an HTTP API that hands out batches to a model and a service that answers with it" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    canopy.sbom="/opt/venv/share/canopy/sbom.cdx.json"
WORKDIR /var/lib/canopy
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "deploy.containers.entrypoint"]

# Makes buckets, users, databases and their newest form, then ends.
FROM canopy AS init
CMD ["python", "-m", "deploy.containers.init"]
HEALTHCHECK NONE

FROM canopy AS airflow
CMD ["airflow", "version"]
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://airflow-api:8080/api/v2/monitor/health"]

FROM canopy AS mlflow
CMD ["python", "-m", "deploy.servers.mlflow_server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1", \
    "--artifacts-destination", "s3://mlflow"]
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:5000/health"]

FROM canopy AS serving
CMD ["python", "-m", "serving"]
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8000/live"]

FROM canopy AS ui
CMD ["streamlit", "run", "/opt/canopy/ui/server.py", "--server.address", "0.0.0.0", "--server.port", "8501"]
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8501/_stcore/health"]

FROM canopy AS docs
USER 0:0
RUN python -m canopy docs /opt/canopy/pages
USER 10001:10001
CMD ["python", "-m", "deploy.site.serve", "--host", "0.0.0.0", "--port", "8088", "--pages", "/opt/canopy/pages"]
EXPOSE 8088
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8088/live"]

FROM canopy AS monitor
CMD ["python", "-m", "deploy.monitor", "--host", "0.0.0.0", "--port", "9108"]
EXPOSE 9108
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:9108/live"]

FROM canopy AS source
ENV SIMULATOR_HOST=0.0.0.0 SIMULATOR_STATE=/var/lib/canopy/simulator/timestamps.json
CMD ["python", "-m", "source.simulator"]
EXPOSE 8010
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "/opt/canopy/docker/healthy.py", "http://127.0.0.1:8010/"]
