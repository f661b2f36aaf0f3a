#!/usr/bin/env bash
# Requests per second of `send`, wrk and hey against a bare net/http handler, in turn.
# From the root of the repository: bash docs/benchmarks/deliver.sh [ROUNDS] [SECONDS]
# hey: go install github.com/rakyll/hey@latest
set -euo pipefail
rounds=${1:-5} seconds=${2:-4}
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$dir"' EXIT
export BODY=fixtures/call.completed.json url=http://127.0.0.1:19000/
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$dir/jc-webhooks" ./cmd/jc-webhooks
CGO_ENABLED=0 go build -o "$dir/bare" docs/benchmarks/bare.go
"$dir/bare" 127.0.0.1:19000 &
sleep 0.5
for ((i = 0; i < rounds; i++)); do
	echo "send $("$dir/jc-webhooks" send -q call.completed --duration "${seconds}s" --concurrency 64 --to $url --json | sed 's/.*"achieved_rate":\([0-9.]*\).*/\1/')"
	echo "wrk  $(wrk -t1 -c64 "-d${seconds}s" -s docs/benchmarks/post.lua $url | awk '/Requests\/sec/ {print $2}')"
	echo "hey  $(hey -z "${seconds}s" -c 64 -m POST -T application/json -D "$BODY" $url | awk '/Requests\/sec/ {print $2}')"
	echo "send --rate 5000/s $("$dir/jc-webhooks" send -q call.completed --rate 5000/s --duration "${seconds}s" --to $url --json |
		sed 's/.*"achieved_rate":\([0-9.]*\).*"lateness":{"p50_ms":\([0-9.]*\).*/\1, lateness p50 \2 ms/')"
done
