# One image with the portal, the router daemon, the co-signer and the reference device.
#
#   docker build -t gatehouse .
#   docker run --rm -p 127.0.0.1:3000:3000 -v gatehouse-data:/data gatehouse
#
# The first start prints the one-time set-up link. `--insecure-http` below is for the port that
# Docker publishes to this machine only; in public put a TLS proxy in front and set
# GATEHOUSE_PUBLIC_URL.

FROM rust:1.95-bookworm AS build
# Node.js is for wasm-opt, which makes the browser's download smaller.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nodejs npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo xtask site
RUN GATEHOUSE_SITE_DIR=/src/target/site cargo build --release --locked \
      --package gatehouse-server --package gatehouse-routerd --package gatehouse-cosigner --package gatehouse-device

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin gatehouse \
 && install --directory --owner gatehouse --group gatehouse --mode 0700 /data
COPY --from=build /src/target/release/gatehouse /src/target/release/gatehouse-routerd /src/target/release/gatehouse-cosigner /src/target/release/gatehouse-device /usr/local/bin/
USER gatehouse
VOLUME /data
ENV GATEHOUSE_DATA_DIR=/data GATEHOUSE_LISTEN=0.0.0.0:3000
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["gatehouse", "health"]
ENTRYPOINT ["gatehouse"]
CMD ["serve", "--insecure-http"]
