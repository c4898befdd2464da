# Three images of one file. Not run where it was written: no Docker engine there; checked by hadolint and tests/test_packaging.py.
#   docker build --target runtime  -t animegan-lite .            the command `anime` (docs/runtime.md)
#   docker build --target service  -t animegan-lite:service .    `anime serve` (docs/service.md)
#   docker build --target pipeline -t animegan-lite:pipeline .   Prefect, MLflow and workers (compose.yaml)
FROM python:3.11.14-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml constraints.txt MANIFEST.in README.md LICENSE NOTICE CHANGELOG.md ./
COPY anime_model anime_model
COPY anime_app anime_app
COPY tasks tasks
COPY flows flows
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11.14-slim-bookworm AS runtime
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 ORT_DISABLE_TELEMETRY=1
COPY constraints.txt /tmp/constraints.txt
COPY --from=wheel /wheels /wheels
RUN pip install -c /tmp/constraints.txt --find-links /wheels 'animegan-lite[video,heic]' \
    && useradd --create-home --uid 1000 anime
USER 1000
WORKDIR /pictures
ENTRYPOINT ["anime"]
CMD ["--help"]

FROM runtime AS service
USER 0
RUN pip install -c /tmp/constraints.txt --find-links /wheels 'animegan-lite[server]'
USER 1000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
# ANIME_SERVE_TOKEN asks for a bearer token. SIGTERM ends it when the pictures that are being drawn are done.
CMD ["serve", "--host", "0.0.0.0"]

FROM python:3.11.14-slim-bookworm AS pipeline
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 ORT_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 anime
WORKDIR /project
COPY --chown=1000 . .
# an editable install: DVC and the flows work in the project's own folder, and read its git history
RUN pip install -c constraints.txt -e '.[pipeline,postgres,s3]' \
    && mkdir -p artifacts .dvc/cache && chown 1000 /project artifacts .dvc/cache
USER 1000
CMD ["python", "-m", "flows.machine.environment", "prefect", "worker", "start", "--pool", "animegan-lite", "--type", "process"]
