#!/usr/bin/env bash
# The step of the action: it takes JC_PATHS, JC_ARGS (one per line) and
# JC_VERSION from the environment.
set -euo pipefail

if ! command -v jc-webhooks >/dev/null; then
	command -v go >/dev/null || {
		echo "::error::jc-webhooks is not on the path, and there is no Go to install it: use actions/setup-go first"
		exit 2
	}
	go install "github.com/jc-webhooks/jc-webhooks/cmd/jc-webhooks@${JC_VERSION:-latest}"
	PATH="$(go env GOPATH)/bin:$PATH"
fi

args=()
while IFS= read -r line; do
	[[ -n $line ]] && args+=("$line")
done <<<"${JC_ARGS:-}"
args+=(--)
while IFS= read -r line; do
	[[ -n $line ]] && args+=("$line")
done <<<"${JC_PATHS:-}"

exec jc-webhooks validate --format github "${args[@]}"
