// Asks analyticsd what a link will use at most in the next day, in 95 of 100 such days.
//
//   cc forecast.c $(pkg-config --cflags --libs --static linkcast-schema) -o forecast
//   ./forecast ENDPOINT LINK
// SPDX-License-Identifier: MIT
#include <client.h>
#include <message.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
	CLEANUP(client_closep) struct client *client = NULL;
	CLEANUP(document_closep) struct document *memory = NULL;
	struct link_forecast_query query;
	struct link_forecast forecast;
	struct status status;

	if (argc != 3) {
		fputs("usage: forecast ENDPOINT LINK\n", stderr);
		return 2;
	}
	link_forecast_query_init(&query); // peak, 0.95: the defaults
	query.link_id = argv[2];
	query.forecast_window_seconds = 86400;
	if (client_open(argv[1], CLIENT_TIMEOUT_MS, &client, &status) < 0 ||
	    client_call(client, OP_FORECAST_LINK, &query, &forecast, &memory, &status) < 0) {
		fprintf(stderr, "forecast: %s\n", status.message);
		return EXIT_FAILURE;
	}
	printf("%.3f Gbps by model %s\n", forecast.forecast_used_capacity_gbps, forecast.model);
	return EXIT_SUCCESS;
}
