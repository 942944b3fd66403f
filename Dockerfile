# The hub as an image: `docker build -t okno .`, then as compose.yaml shows.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/okno
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY events events
COPY projections projections
COPY service service
RUN /opt/okno/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/okno okno
COPY --from=build /opt/okno /opt/okno
ENV PATH=/opt/okno/bin:$PATH PYTHONUNBUFFERED=1
USER okno
WORKDIR /var/lib/okno
VOLUME /var/lib/okno
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["okno"]
CMD ["run"]
