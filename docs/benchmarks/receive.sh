#!/usr/bin/env bash
# Requests per second of `listen` and of a bare net/http handler, in turn, by wrk.
# From the root of the repository: bash docs/benchmarks/receive.sh [ROUNDS] [SECONDS]
set -euo pipefail
rounds=${1:-5} seconds=${2:-4}
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$dir"' EXIT
export BODY=fixtures/call.completed.json
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$dir/jc-webhooks" ./cmd/jc-webhooks
CGO_ENABLED=0 go build -o "$dir/bare" docs/benchmarks/bare.go

load() { wrk -t1 -c64 "-d${seconds}s" --latency -s docs/benchmarks/post.lua "$1" | awk '/99%/ {p99=$2} /Requests\/sec/ {print $2, "p99", p99}'; }
listen() { # NAME FLAG...: a fresh listener for each round, so that none pays for another's disk
	local name=$1
	shift
	rm -f "$dir/ready"
	"$dir/jc-webhooks" listen -q --port 0 --ready-file "$dir/ready" "$@" >/dev/null 2>&1 &
	local pid=$!
	until [[ -s $dir/ready ]]; do sleep 0.05; done
	printf '%-18s %s  peak %s kB\n' "$name" "$(load "$(cat "$dir/ready")")" "$(awk '/VmHWM/ {print $2}' "/proc/$pid/status")"
	kill -INT "$pid" && wait "$pid"
	rm -f "$dir/capture.ndjson" && sync && sleep 1
}
"$dir/bare" 127.0.0.1:19000 &
sleep 1
for ((i = 0; i < rounds; i++)); do
	printf '%-18s %s\n' bare "$(load http://127.0.0.1:19000/)"
	listen '--json' --json
	listen '--record' --record "$dir/capture.ndjson"
	listen '--record --fsync' --record "$dir/capture.ndjson" --fsync
done
