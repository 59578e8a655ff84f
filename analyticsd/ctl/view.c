// GetTopology, page by page.
// SPDX-License-Identifier: MIT
#include "view.h"

#include <errno.h>
#include <string.h>

#define ATTEMPTS 5 // at a topology that changes while it is read

void view_fini(struct view *view) {
	free(view->body.nodes);
	free(view->body.links);
	replies_fini(&view->replies);
	*view = (struct view){0};
}

static int append(struct topology_view *all, const struct topology_view *page) {
	int rc;

	if ((rc = array_grow((void **)&all->nodes, all->n_nodes, page->n_nodes, sizeof(*page->nodes))) < 0 ||
	    (rc = array_grow((void **)&all->links, all->n_links, page->n_links, sizeof(*page->links))) < 0)
		return rc;
	if (page->n_nodes > 0)
		memcpy(all->nodes + all->n_nodes, page->nodes, page->n_nodes * sizeof(*page->nodes));
	if (page->n_links > 0)
		memcpy(all->links + all->n_links, page->links, page->n_links * sizeof(*page->links));
	all->n_nodes += page->n_nodes;
	all->n_links += page->n_links;
	return 0;
}

// Returns 0, or 1 when the topology changed on the way.
static int fetch_pages(struct ctl *ctl, const char *topology_id, struct view *view, struct status *status) {
	struct topology_query query;
	int rc;

	topology_query_init(&query);
	query.topology_id = topology_id;
	for (;;) {
		struct document *document = NULL;
		struct topology_view page;

		if ((rc = ctl_call(ctl, OP_GET_TOPOLOGY, &query, &page, &document, status)) < 0)
			return rc;
		if ((rc = replies_keep(&view->replies, document)) < 0)
			return rc;
		if (query.page == 0) {
			view->body.topology_id = page.topology_id;
			view->body.version = page.version;
		} else if (page.version != view->body.version) {
			return 1;
		}
		if ((rc = append(&view->body, &page)) < 0)
			return rc;
		if (!HAS(&page, topology_view, next_page))
			return 0;
		if ((rc = page_after(query.page, page.next_page, &query.page, status)) < 0)
			return rc;
	}
}

int view_fetch(struct ctl *ctl, const char *topology_id, struct view *ret, struct status *status) {
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct view view = {0};
		int rc = fetch_pages(ctl, topology_id, &view, status);

		if (rc == 0) {
			*ret = view;
			return 0;
		}
		view_fini(&view);
		if (rc < 0)
			return rc;
	}
	return status_set(status, STATUS_ABORTED, "topology '%s' changed while it was read, %d times",
	                  topology_id, ATTEMPTS);
}
