// Starting and stopping in order: who sends ends before who receives.
// SPDX-License-Identifier: MIT
#include "alerts.h"

#include "actions.h"
#include "detector.h"
#include "teacher.h"
#include "outlook.h"

#include <errno.h>

struct alerts {
	struct actions *actions;
	struct detector *detector;
	struct outlook *outlook;
	struct teacher *teacher;
};

int alerts_start(const struct alerts_options *options, void *context, struct metrics *metrics,
                 struct alerts **ret, struct status *status) {
	CLEANUP(alerts_stopp) struct alerts *alerts = calloc(1, sizeof(*alerts));
	struct detector_options detector = {
	        .history_path = options->history_path,
	        .state_path = options->state_path,
	        .settings = options->settings,
	};
	int rc;

	if (alerts == NULL)
		return -ENOMEM;
	if (options->settings->is_off) {
		*ret = alerts;
		alerts = NULL;
		return 0;
	}
	if ((rc = actions_start(options->settings, options->state_path, metrics, &alerts->actions, status)) <
	    0)
		return rc;
	detector.actions = alerts->actions;
	if ((rc = detector_start(&detector, context, metrics, &alerts->detector, status)) < 0 ||
	    (rc = outlook_start(options->settings, context, &alerts->outlook)) < 0 ||
	    (rc = teacher_start(options->settings, options->history_path, options->state_path, context,
	                        metrics, &alerts->teacher, status)) < 0)
		return rc;
	*ret = alerts;
	alerts = NULL;
	return 0;
}

void alerts_stop(struct alerts *alerts) {
	if (alerts == NULL)
		return;
	outlook_stop(alerts->outlook);
	teacher_stop(alerts->teacher);
	detector_stop(alerts->detector);
	actions_stop(alerts->actions);
	free(alerts);
}
