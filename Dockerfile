# syntax=docker/dockerfile:1

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/tidemark \
    && /opt/tidemark/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
# The build backend comes from the lock as well, so that nothing unhashed takes part in the build.
RUN awk '/^setuptools==/ { found = 1 } found { print } found && !/\\$/ { exit }' requirements-dev.lock > build.lock \
    && pip install --no-cache-dir --require-hashes -r build.lock
COPY pyproject.toml README.md ./
COPY domain domain
COPY application application
COPY adapters adapters
COPY projections projections
COPY entrypoints entrypoints
COPY migrations migrations
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
    && /opt/tidemark/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
ENV PATH=/opt/tidemark/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
RUN groupadd --gid 10001 tidemark \
    && useradd --uid 10001 --gid tidemark --no-create-home --shell /usr/sbin/nologin tidemark
COPY --from=build /opt/tidemark /opt/tidemark
USER 10001:10001
WORKDIR /
EXPOSE 8080 9090 3000 9250 9251 9252
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
ENTRYPOINT ["tidemark"]
CMD ["serve"]
