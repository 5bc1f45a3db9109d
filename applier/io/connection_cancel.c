#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "connection_parts.h"

struct cancelling {
	struct connection *conn; /* NULL: it was closed meanwhile */
	PGcancel *cancel;		 /* stays valid after the connection is closed */
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

	if (c->conn)
		c->conn->cancelling = NULL;
	if (!c->sent)
		log_debug("a statement could not be cancelled: %s", c->reason);
	PQfreeCancel(c->cancel);
	free(c);
}

/* A server that takes no connections keeps a thread waiting; there are few. */
void
connection_cancel(struct connection *conn)
{
	struct cancelling *c;

	if (conn->cancelling)
		return;
	c = memory_alloc_zero(1, sizeof *c);
	c->conn = conn;
	c->cancel = PQgetCancel(conn->pg);
	if (c->cancel) {
		conn->cancelling = c;
		loop_start_blocking(conn->loop, send, on_sent, c);
	} else {
		free(c);
	}
}

void
connection_end_cancelling(struct connection *conn)
{
	if (conn->cancelling)
		conn->cancelling->conn = NULL;
}
