# shellcheck shell=bash
# To be sourced: where things are. A cache entry is named by a hash of what made it, so an old one is never taken for a new one.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${MILLRACE_CACHE:-$HOME/.cache/millrace}/kind
cluster=${MILLRACE_CLUSTER:-millrace}     # several can live side by side, but the ports of kind.yaml are one cluster's
state=$cache/clusters/$cluster            # what belongs to this cluster alone: kubeconfig, logs, which images it has
kubeconfig=$state/kubeconfig
mkdir -p "$state/logs"

# hash FILE|FOLDER…: of the contents and names of all files in them.
hash() {
  (cd "$here" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12)
}
programs=$cache/programs-$(hash versions node-image/programs)
node_hash=$(hash versions node-image steps/base-image)
node_image=localhost/millrace-node:$node_hash
node_archive=$cache/node-$node_hash.tar
export PATH=$programs:$PATH
