# The command line in a container. The project's tests do not build it: they have no Docker.
#
#   docker build -t vestige-sql .
#   docker run --rm -e DATABASE_URL vestige-sql migrate status
FROM python:3.13-slim

COPY . /src
RUN pip install --no-cache-dir /src \
    && useradd --create-home --uid 1000 vestige

USER vestige
WORKDIR /home/vestige
# A model that is fetched from the hub lies here: mount a volume, and it is fetched once.
ENV HF_HOME=/home/vestige/models
RUN mkdir models
ENTRYPOINT ["vestige-sql"]
CMD ["--help"]
