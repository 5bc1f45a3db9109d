#include "base/memory.h"
#include "connection_parts.h"

#include <stdlib.h>

struct opening {
	struct loop *loop;
	struct connection_login login;
	struct connecting *connecting;
	connection_opened opened;
	void *arg;
};

static void
on_connected(void *arg, PGconn *pg, const struct error *err)
{
	struct opening *opening = arg;

	opening->opened(opening->arg, pg ? connection_create(opening->loop, pg, &opening->login) : NULL, err);
	free(opening);
}

struct opening *
connection_open_later(struct loop *loop, const char *name, const char *conninfo, enum connection_kind kind,
					  const char *application, connection_opened opened, void *arg)
{
	struct opening *opening = memory_alloc_zero(1, sizeof *opening);

	opening->loop = loop;
	opening->login = (struct connection_login){.name = name, .kind = kind};
	opening->opened = opened;
	opening->arg = arg;
	opening->connecting =
		connection_connect(loop, &opening->login, conninfo, application, on_connected, opening);
	return opening;
}

void
connection_open_abandon(struct opening *opening)
{
	if (!opening)
		return;
	connection_connect_abandon(opening->connecting);
	free(opening);
}

/* ---- the same, pumping the loop */

struct wait {
	bool over;
	struct connection *conn;
	struct error *err;
};

static void
on_opened(void *arg, struct connection *conn, const struct error *err)
{
	struct wait *wait = arg;

	wait->over = true;
	wait->conn = conn;
	if (err)
		*wait->err = *err;
}

static bool
is_over(void *arg)
{
	return ((const struct wait *) arg)->over;
}

struct connection *
connection_open(struct loop *loop, const char *name, const char *conninfo, enum connection_kind kind,
				const char *application, struct error *err)
{
	struct wait wait = {.err = err};

	if (loop_stop_requested(loop)) {
		error_set(err, ERROR_STOPPED, "stopped before connecting to the %s", name);
		return NULL;
	}
	(void) connection_open_later(loop, name, conninfo, kind, application, on_opened, &wait);
	loop_run_until(loop, is_over, &wait);
	return wait.conn;
}
