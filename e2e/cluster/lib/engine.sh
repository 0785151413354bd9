# shellcheck shell=bash
# To be sourced after places.sh: what runs the nodes. `engine` is docker or podman; MILLRACE_ENGINE overrides the choice.
docker_works() {
  # podman-docker answers to the name, too, and kind would take it for Docker.
  [[ $(docker --version 2>/dev/null) == Docker* ]] && timeout 10 docker info >/dev/null 2>&1
}
if [ -n "${MILLRACE_ENGINE:-}" ]; then
  engine=$MILLRACE_ENGINE
elif docker_works; then
  engine=docker
else
  engine=podman
fi
export KIND_EXPERIMENTAL_PROVIDER=$engine
export BUILDAH_ISOLATION=chroot # of podman build: needs no rights that a container may lack, and has the machine's network

if [ "$engine" = podman ]; then
  # podman raises the limits of open files and of processes to 1048576. Without CAP_SYS_RESOURCE that is refused, so it is
  # told to leave them as they are; its own limit of processes is by then at most kernel.pid_max.
  # runc, since crun refuses machines that have both versions of cgroups mounted.
  files=$(ulimit -Hn)
  processes=$(ulimit -Hu)
  most=$(cat /proc/sys/kernel/pid_max)
  if [ "$processes" = unlimited ] || [ "$processes" -gt "$most" ]; then processes=$most; fi
  export CONTAINERS_CONF=$cache/containers.conf
  cat >"$CONTAINERS_CONF.$$" <<C
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
pids_limit = 0
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
C
  mv "$CONTAINERS_CONF.$$" "$CONTAINERS_CONF"
  unset files processes most
fi
