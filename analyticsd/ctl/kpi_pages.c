// QueryKpi until it has no next page.
// SPDX-License-Identifier: MIT
#include "kpi_pages.h"

static int take_page(struct ctl *ctl, const struct kpi_query *query, kpi_page_fn take, void *context,
                     int64_t *ret_next, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct kpi_series page;
	int rc;

	if ((rc = ctl_call(ctl, OP_QUERY_KPI, query, &page, &document, status)) < 0 ||
	    (rc = take(context, page.samples, page.n_samples)) < 0)
		return rc;
	*ret_next = -1;
	if (!HAS(&page, kpi_series, next_page))
		return 0;
	return page_after(query->page, page.next_page, ret_next, status);
}

int kpi_pages(struct ctl *ctl, const struct kpi_query *query, kpi_page_fn take, void *context,
              struct status *status) {
	struct kpi_query asked = *query;
	int64_t next = 0;
	int rc;

	while (next >= 0) {
		asked.page = next;
		if ((rc = take_page(ctl, &asked, take, context, &next, status)) < 0)
			return rc;
	}
	return 0;
}
