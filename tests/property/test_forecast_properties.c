// What holds of a forecast whatever the link: order of its quantiles, its band, and that neither units nor
// the date nor a second asking change it.
// SPDX-License-Identifier: MIT
#include "../unit/forecast_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LINKS = 24 };

static struct kpi_point points[FIXTURE_MOST];

struct link_case {
	size_t n;
	struct forecast_query query;
};

// A random link: smooth, noisy, bursty or idle for long, with holes, any spacing, window, model and
// statistic.
static struct link_case make_case(uint64_t seed) {
	static const char *const names[] = {"auto", "auto",     "auto",     "last",    "mean",  "drift",
	                                    "ets",  "seasonal", "harmonic", "profile", "ridge", "ar"};
	static const int spacings[] = {1, 30, 300, 300};
	static const double windows[] = {300, 3600, 21600, 86400};
	uint64_t state = seed * 77;
	int spacing = spacings[seed % 4], kind = (int)(seed / 4 % 3);
	struct link_case c = {0, fixture_query(windows[seed / 3 % 4])};
	size_t n = 3 + (size_t)((fixture_noise(&state) + 1) * 1500);
	double walk = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t ts_ns = FIXTURE_NOW_NS - (int64_t)(n - 1 - i) * spacing * NS_PER_SECOND;
		double noise = fixture_noise(&state);

		walk = 0.95 * walk + noise;
		if (i % 211 < seed % 20 && i + 1 < n)
			continue;
		points[c.n].ts_ns = ts_ns;
		points[c.n++].gbps = 20 + (kind == 0     ? 3 * fixture_load(ts_ns, &state)
		                           : kind == 1   ? walk
		                           : noise > 0.9 ? 8
		                                         : noise);
	}
	c.query.model = names[seed % (sizeof(names) / sizeof(names[0]))];
	c.query.statistic = (enum statistics)(seed / 2 % N_statistics);
	return c;
}

static struct forecast ask(const struct link_case *c) {
	struct forecast forecast;

	cr_assert_eq(forecast_compute(points, c->n, &c->query, &forecast), 0);
	return forecast;
}

static void assert_same(const struct forecast *a, const struct forecast *b, double times, double plus,
                        uint64_t seed) {
	double tolerance = 1e-5 * fabs(a->value_gbps * times);

	cr_assert_float_eq(b->value_gbps, a->value_gbps * times + plus, tolerance, "case %lu (%s): %g, %g",
	                   (unsigned long)seed, a->model, a->value_gbps, b->value_gbps);
	cr_assert_eq(a->model, b->model, "case %lu: %s, %s", (unsigned long)seed, a->model, b->model);
	cr_assert_eq(a->samples, b->samples);
	cr_assert_eq(a->calibration_windows, b->calibration_windows);
}

Test(forecast_properties, a_higher_quantile_is_never_lower) {
	static const double quantiles[] = {0.5, 0.6, 0.75, 0.9, 0.95, 0.98, 0.99, 0.999};

	for (uint64_t seed = 0; seed < LINKS; seed++) {
		struct link_case c = make_case(seed);
		double before = 0;

		for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
			struct forecast forecast;

			c.query.quantile = quantiles[i];
			forecast = ask(&c);
			cr_assert_geq(forecast.value_gbps, before, "case %lu at %g", (unsigned long)seed,
			              quantiles[i]);
			before = forecast.value_gbps;
		}
	}
}

Test(forecast_properties, the_band_is_ordered_and_its_highest_point_is_the_peak) {
	for (uint64_t seed = 0; seed < LINKS; seed++) {
		struct link_case c = make_case(seed);
		double highest = 0;
		struct forecast forecast;

		c.query.statistic = STATISTIC_PEAK;
		c.query.series = true;
		forecast = ask(&c);
		for (size_t i = 0; i < forecast.n_series; i++) {
			const struct band_point *point = &forecast.series[i];

			cr_assert_geq(point->lower, 0);
			cr_assert_leq(point->lower, point->median);
			cr_assert_leq(point->median, point->upper);
			cr_assert(i == 0 || point->ts_ns > point[-1].ts_ns);
			highest = fmax(highest, point->upper);
		}
		cr_assert_float_eq(highest, forecast.value_gbps, 0, "case %lu: band %.17g, peak %.17g",
		                   (unsigned long)seed, highest, forecast.value_gbps);
		forecast_fini(&forecast);
	}
}

Test(forecast_properties, the_same_question_has_the_same_answer) {
	for (uint64_t seed = 0; seed < LINKS; seed++) {
		struct link_case c = make_case(seed);
		struct forecast first = ask(&c), second = ask(&c);

		cr_assert_eq(memcmp(&first.value_gbps, &second.value_gbps, sizeof(double)), 0);
		assert_same(&first, &second, 1, 0, seed);
	}
}

Test(forecast_properties, units_do_not_matter) {
	for (uint64_t seed = 0; seed < LINKS; seed++) {
		struct link_case c = make_case(seed);
		struct forecast one = ask(&c), thousand;

		for (size_t i = 0; i < c.n; i++)
			points[i].gbps *= 1024;
		thousand = ask(&c);
		assert_same(&one, &thousand, 1024, 0, seed);
	}
}

Test(forecast_properties, a_base_load_is_added_to_the_answer) {
	for (uint64_t seed = 0; seed < LINKS; seed++) {
		struct link_case c = make_case(seed);
		struct forecast without = ask(&c), with;

		for (size_t i = 0; i < c.n; i++)
			points[i].gbps += 64;
		with = ask(&c);
		assert_same(&without, &with, 1, 64, seed);
	}
}

Test(forecast_properties, the_date_does_not_matter) {
	for (uint64_t seed = 0; seed < LINKS; seed++) {
		struct link_case c = make_case(seed);
		struct forecast now = ask(&c), later;
		const int64_t shift_ns = 12345 * NS_PER_SECOND + 678;

		for (size_t i = 0; i < c.n; i++)
			points[i].ts_ns += shift_ns;
		c.query.now_ns += shift_ns;
		c.query.start_ns += shift_ns;
		later = ask(&c);
		assert_same(&now, &later, 1, 0, seed);
	}
}

// 95 of 100 windows stay under the answer, and with their whole path inside the band's upper edge: counted on
// a link whose noise has memory.
Test(forecast_properties, the_quantile_of_the_peak_is_kept_and_so_is_the_band) {
	static struct kpi_point all[FIXTURE_MOST];
	uint64_t state = 11;
	double walk = 0;
	int kept = 0, inside = 0, asked = 0;

	for (size_t i = 0; i < 8000; i++) {
		walk = 0.9 * walk + fixture_noise(&state);
		all[i].ts_ns = FIXTURE_NOW_NS + (int64_t)i * 300 * NS_PER_SECOND;
		all[i].gbps = 2 * fixture_load(all[i].ts_ns, &state) + 5 + walk;
	}
	for (size_t from = 4100; from + 12 < 8000; from += 24, asked++) {
		struct forecast_query query = fixture_query(3600);
		bool is_inside = true;
		struct forecast forecast;
		double peak = 0;

		query.now_ns = query.start_ns = all[from - 1].ts_ns;
		query.series = true;
		cr_assert_eq(forecast_compute(all, from, &query, &forecast), 0);
		cr_assert_eq(forecast.n_series, 12);
		for (size_t i = 0; i < 12; i++) {
			peak = fmax(peak, all[from + i].gbps);
			is_inside &= all[from + i].gbps <= forecast.series[i].upper;
		}
		kept += peak <= forecast.value_gbps;
		inside += is_inside;
		forecast_fini(&forecast);
	}
	cr_assert_gt(kept, 0.91 * asked, "%d of %d", kept, asked);
	cr_assert_lt(kept, 0.99 * asked, "%d of %d", kept, asked);
	cr_assert_gt(inside, 0.9 * asked, "%d of %d", inside, asked);
}
