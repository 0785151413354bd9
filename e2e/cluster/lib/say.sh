# shellcheck shell=bash
# To be sourced: how the scripts speak.

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# timed WHAT PROGRAM…: runs it, its output into a log, and says how long it took. Fails with the end of the log.
# A program, not a function: bash ignores `set -e` in a function whose result is looked at.
timed() {
  local what=$1 log=$state/logs/${1//[^a-z0-9]/-}.log begin=${EPOCHREALTIME/./} micros
  shift
  printf '  %-34s' "$what"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    printf ' failed\n'
    tail -n 25 "$log" | sed 's/^/    | /' >&2
    die "$what failed; the whole log: $log"
  fi
  micros=$((${EPOCHREALTIME/./} - begin))
  printf '%5d.%d s\n' $((micros / 1000000)) $((micros / 100000 % 10))
}
