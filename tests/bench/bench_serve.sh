#!/bin/bash
# Answers of `pathcomp serve` over ipc, by bench_serve: from a file, and with forecasts of an analyticsd.
# Usage: bench_serve.sh BUILD [TOPOLOGY_FILE]
# SPDX-License-Identifier: MIT
set -euo pipefail
build=$(realpath "$1")
file=${2:-$(dirname "$0")/../data/topologies/AttMpls.graphml}
folder=$(mktemp -d)
started=()
end() {
	for process in "${started[@]}"; do
		kill "$process" 2>/dev/null || true
		wait "$process" || true
	done
	rm -rf "$folder"
}
trap end EXIT
await() {
	for ((i = 0; i < 300; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "bench_serve: $* failed" >&2
	exit 1
}

# where a file knows no capacities, 10 Gbps
"$build/pathcomp/pathcomp" topology convert "$file" |
	python3 -c 'import json, sys
topology = json.load(sys.stdin)
for link in topology["links"]:
    link["total_capacity_gbps"] = 10.0
json.dump(topology, sys.stdout)' >"$folder/topology.json"
"$build/analyticsd/analyticsd" --data "$folder/data" --api "ipc://$folder/api" --samples "ipc://$folder/samples" \
	--events "ipc://$folder/events" 2>"$folder/log" &
started+=($!)
export LINKCAST_API=ipc://$folder/api
await "$build/analyticsd/ctl/analyticsctl" status
"$build/analyticsd/ctl/analyticsctl" topology load "$folder/topology.json" >/dev/null
"$build/pathcomp/pathcomp" serve --endpoint "ipc://$folder/file" --file "$folder/topology.json" --forecaster off 2>>"$folder/log" &
started+=($!)
"$build/pathcomp/pathcomp" serve --endpoint "ipc://$folder/path" 2>>"$folder/log" &
started+=($!)
await test -S "$folder/file" -a -S "$folder/path"
echo "$(basename "$file"), from a file:"
"$build/tests/bench/bench_serve" "ipc://$folder/file" "$folder/topology.json" 20000
echo "$(basename "$file"), forecast over the next hour:"
"$build/tests/bench/bench_serve" "ipc://$folder/path" "$folder/topology.json" 20000 3600
