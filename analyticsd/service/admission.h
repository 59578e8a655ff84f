// admission.h: may this service be admitted? What has to be waited for (forecasts) comes first and outside of any
// transaction; the check itself looks at ledger, topology and capacities as they are at that moment.
// SPDX-License-Identifier: MIT
#pragma once

#include "ledger.h"
#include "worker.h"

struct admission {
	struct call *call;
	const struct reserve_request *request;
	int64_t start_ns, end_ns; // or LEDGER_OPEN
	int64_t service_version;  // of the service that is to be changed; 0: a new one
	struct admission_evidence evidence;
};

// Checks the request by itself and settles its times. Returns 0 or a negative errno with the call's status.
int admission_begin(struct admission *, struct call *, const struct reserve_request *);

// Fills the evidence with what counts as used on each link over the service's time.
int admission_forecast(struct admission *);

// Inside a transaction of the ledger: does it fit on every link at every moment? Completes the evidence. -EAGAIN
// (ABORTED) names the link that does not.
int admission_check(struct admission *);
