#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "connection_parts.h"

struct cancelling {
	PGcancel *cancel; /* stays valid after the connection is closed */
	bool sent;
	char reason[256];
};

static void
send(void *arg)
{
	struct cancelling *c = arg;

	c->sent = PQcancel(c->cancel, c->reason, sizeof c->reason) != 0;
}

static void
on_sent(void *arg)
{
	struct cancelling *c = arg;

	if (!c->sent)
		log_debug("a statement could not be cancelled: %s", c->reason);
	PQfreeCancel(c->cancel);
	free(c);
}

void
connection_cancel(struct connection *conn)
{
	struct cancelling *c = memory_alloc_zero(1, sizeof *c);

	c->cancel = PQgetCancel(conn->pg);
	if (c->cancel)
		loop_start_blocking(conn->loop, send, on_sent, c);
	else
		free(c);
}
