# syntax=docker/dockerfile:1

# A static binary on an empty image: no shell, no package manager, no root.
#
#   docker build -t cloakroom .
#   docker run -p 8080:8080 -v cloakroom:/data -v ./config.yaml:/config.yaml:ro cloakroom
#
# In the container config.yaml needs "listen: :8080", and its default paths
# data/keys and data/sessions.db are in the volume /data.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY internal internal
COPY proxy proxy
COPY session session
COPY web web
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /out/cloakroom ./cmd/cloakroom && mkdir /out/data

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
