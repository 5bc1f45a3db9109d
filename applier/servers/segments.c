#include "segments.h"

#include "base/log.h"

bool
segments_answer(struct connection *destination, const struct dialect *dialect)
{
	struct error err;

	if (!dialect->has_segments)
		return true;
	if (connection_execute(destination, "SELECT count(*) FROM gp_dist_random('gp_id')", NULL, 0, NULL, &err))
		return true;
	log_debug("not every segment answers: %s", err.message);
	return false;
}
