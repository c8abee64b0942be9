# One image for controller, speaker and mirror-status, for amd64 and arm64:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=0.2.0 -t metallb-ts/metallb:0.2.0 .
#
# What is in it is decided by scripts/image-root.ts; `make image-root` makes the same tree in a folder.

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY LICENSE ./
COPY scripts scripts
COPY templates templates
COPY src src
# The node of package-lock.json, which goes into the image, and not this stage's.
RUN node_modules/.bin/node scripts/image-root.ts --without-base /image-root

# glibc, libstdc++, CA certificates and users, and no shell.
FROM gcr.io/distroless/cc-debian12
ARG VERSION=dev
LABEL org.opencontainers.image.title="metallb-ts" \
      org.opencontainers.image.description="Load balancer addresses for bare-metal Kubernetes: MetalLB's API, FRR-first" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12"
COPY --from=build /image-root/ /
ENV PATH=/usr/bin:/
# The speaker's Pod says 0 instead: raw sockets with NET_RAW alone need it.
USER 65534:65534
# Named by the manifests: /controller, /speaker; by hand: mirror-status.
CMD ["/metallb", "--help"]
