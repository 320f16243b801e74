# The one binary with what it runs: node, git and ssh. `docker run IMAGE` is an agent; any other verb follows the name.
FROM node:20-slim AS build
WORKDIR /opt/gitfleet
# First what seldom changes, so that an edit does not install everything anew.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts scripts
COPY runtime runtime
COPY schemas schemas
COPY zookeeper zookeeper
COPY git git
COPY fleet fleet
COPY agent agent
COPY publisher publisher
COPY rollout rollout
COPY hooks hooks
COPY cli cli
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:20-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client ca-certificates \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/gitfleet
COPY LICENSE ./
COPY --from=build /opt/gitfleet/package.json ./
COPY --from=build /opt/gitfleet/node_modules node_modules
COPY --from=build /opt/gitfleet/dist dist
# A named volume takes owner and mode from the directory it covers; none but the agent's user reads the state.
RUN ln -s /opt/gitfleet/dist/cli/main.cjs /usr/local/bin/gitfleet \
 && install --directory --owner=node --group=node --mode=0755 /srv/www \
 && install --directory --owner=node --group=node --mode=0700 /var/lib/gitfleet
USER node
VOLUME ["/srv/www", "/var/lib/gitfleet"]
ENTRYPOINT ["gitfleet"]
CMD ["agent", "run"]
