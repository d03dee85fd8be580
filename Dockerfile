# syntax=docker/dockerfile:1

# A static binary on an empty image: no shell, no package manager, no root.
#
#   docker build -t cloakroom --build-arg VERSION=v1.2.3 .
#   docker run --stop-timeout 50 -p 8080:8080 -v cloakroom:/data -v ./config.yaml:/config.yaml:ro \
#     -v ./secrets:/secrets:ro -v ./dist:/dist:ro cloakroom
#
# In the container config.yaml needs "listen: :8080"; its relative paths start at
# /, so that data/keys and data/sessions.db are in the volume /data. The process
# runs as uid 65532: what is in secrets/ (0600) must belong to that uid, and
# config.yaml and dist/ must be readable by it:
#
#   sudo chown -R 65532:65532 secrets && sudo chmod -R u=rwX,go= secrets
#
# The stop timeout is to be longer than shutdown_timeout (30s) and token_timeout
# (15s) together: a process that is killed earlier may lose one-time refresh
# tokens. Docker's own is 10 s.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY internal internal
COPY proxy proxy
COPY session session
COPY web web
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -X main.release=${VERSION}" -o /out/cloakroom ./cmd/cloakroom && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/cloakroom /cloakroom
# A new volume takes over this folder's owner, so the process can write to it.
COPY --from=build --chown=65532:65532 --chmod=0700 /out/data /data

WORKDIR /
USER 65532:65532
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/cloakroom", "health", "--config", "/config.yaml"]
ENTRYPOINT ["/cloakroom"]
CMD ["serve", "--config", "/config.yaml"]
