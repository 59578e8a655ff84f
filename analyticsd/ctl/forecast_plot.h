// forecast_plot.h: a forecast as a picture: the history before it, the band over its window, and what came since
// when the forecast is one of the past.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

// 'forecast' answers 'query' and has its series. 'path' as plot_check_path() takes it. Returns 0 or a negative errno
// with 'status'.
int forecast_plot(struct ctl *, const struct link_forecast_query *query, const struct link_forecast *forecast,
                  const char *path, struct status *status);
