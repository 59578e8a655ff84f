# Forecasts of R's forecast package for bench_accuracy.py: `bench_accuracy.R METHOD` reads tasks from stdin and prints
# for each `id cpu_ms path upper` as bench_accuracy.c does; upper is the 0.95 quantile of each step.
# SPDX-License-Identifier: MIT
suppressMessages(library(forecast))

method <- commandArgs(trailingOnly = TRUE)[1]

# Seasons above 24 steps are out of reach for auto.arima (hours) and ets (refuses); both get the plain series then.
# Seasons of 24 cost auto.arima minutes where there are more than 300 values: it looks for none there.
fit <- function(y, period, week, h) {
  seasonal <- period > 1 && length(y) >= 2 * period
  short <- seasonal && period <= 24
  plain <- ts(y, frequency = if (short) period else 1)
  full <- ts(y, frequency = if (seasonal) period else 1)
  switch(method,
    naive = naive(full, h = h, level = 90),
    snaive = snaive(full, h = h, level = 90),
    theta = thetaf(full, h = h, level = 90),
    ets = forecast(ets(plain), h = h, level = 90),
    arima = forecast(auto.arima(plain, seasonal = short && length(y) <= 300), h = h, level = 90),
    tbats = {
      periods <- c(if (seasonal) period, if (length(y) >= 2 * week) week)
      s <- if (length(periods) > 0) msts(y, periods) else y
      forecast(tbats(s, use.parallel = FALSE), h = h, level = 90)
    })
}

input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  part <- strsplit(line, "\t")[[1]]
  step <- as.numeric(part[3])
  h <- as.integer(part[5])
  y <- as.numeric(strsplit(part[8], " ")[[1]])
  y <- as.numeric(na.interp(y))
  before <- proc.time()
  f <- tryCatch(suppressWarnings(fit(y, as.numeric(part[4]), 7 * 86400 / step, h)),
                error = function(e) naive(y, h = h, level = 90))
  took <- sum((proc.time() - before)[1:2]) * 1000
  cat(part[1], "\t", sprintf("%.1f", took), "\t", paste(sprintf("%.7g", f$mean), collapse = " "), "\t",
      paste(sprintf("%.7g", f$upper), collapse = " "), "\n", sep = "")
}
