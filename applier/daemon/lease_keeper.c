#include "lease_keeper.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "state/lease.h"

/* How often an answer that does not come is looked for. */
#define WAIT_MS 1000

enum keeper_state { KEEPER_IDLE, KEEPER_RENEWING, KEEPER_LOST };

struct lease_keeper {
	struct loop *loop;
	struct connection *conn; /* NULL: none */
	struct loop_timer *timer;
	char *task;
	bool is_watched; /* see lease_keeper_create() */
	char epoch[24];
	enum keeper_state state;
	bool asked;			/* a renewal is under way */
	int64_t renewed_ms; /* the last answer; or the claim */
	struct error why;	/* KEEPER_LOST */
	loop_callback on_lost;
	void *arg;
};

static void
lose(struct lease_keeper *keeper, const struct error *why)
{
	if (keeper->state == KEEPER_LOST)
		return;
	log_debug("the task's lease is lost: %s", why->message);
	keeper->state = KEEPER_LOST;
	keeper->why = *why;
	loop_timer_disarm(keeper->timer);
	keeper->on_lost(keeper->arg);
}

static void
on_renewed(void *arg, const struct result *res, const struct error *err)
{
	struct lease_keeper *keeper = arg;
	struct error why;

	keeper->asked = false;
	if (err) {
		why = *err;
		/* Whatever the server has against it, the next attempt finds out. */
		why.class = ERROR_RETRY;
		error_context(&why, "renewing the task's lease");
		lose(keeper, &why);
	} else if (result_affected(res) != 1) {
		error_set(&why, ERROR_REPLACED, "another daemon of task %s has taken over", keeper->task);
		lose(keeper, &why);
	} else if (keeper->state == KEEPER_RENEWING) {
		keeper->renewed_ms = loop_now_ms(keeper->loop);
		loop_timer_arm(keeper->timer, LEASE_RENEW_MS);
	}
}

static void
on_timer(void *arg)
{
	struct lease_keeper *keeper = arg;
	int64_t silent_ms = loop_now_ms(keeper->loop) - keeper->renewed_ms;
	const struct param params[] = {param_text(keeper->task), param_text(keeper->epoch)};
	struct error why;

	if (keeper->asked && keeper->is_watched && silent_ms >= LEASE_LOST_MS) {
		error_set(&why, ERROR_RETRY,
				  "the destination has not answered for %" PRId64 " s: another daemon may take the task over",
				  silent_ms / 1000);
		lose(keeper, &why);
		return;
	}
	if (!keeper->asked) {
		keeper->asked = true;
		connection_query(keeper->conn, lease_renew_sql(), params, 2, on_renewed, keeper);
	}
	loop_timer_arm(keeper->timer, WAIT_MS);
}

struct lease_keeper *
lease_keeper_create(struct loop *loop, const char *task, bool is_watched, loop_callback on_lost, void *arg)
{
	struct lease_keeper *keeper = memory_alloc_zero(1, sizeof *keeper);

	keeper->loop = loop;
	keeper->task = memory_strdup(task);
	keeper->is_watched = is_watched;
	keeper->timer = loop_timer_create(loop, on_timer, keeper);
	keeper->on_lost = on_lost;
	keeper->arg = arg;
	return keeper;
}

void
lease_keeper_end(struct lease_keeper *keeper)
{
	loop_timer_disarm(keeper->timer);
	connection_close(keeper->conn);
	keeper->conn = NULL;
	keeper->asked = false;
	keeper->state = KEEPER_IDLE;
}

void
lease_keeper_destroy(struct lease_keeper *keeper)
{
	if (!keeper)
		return;
	lease_keeper_end(keeper);
	loop_timer_destroy(keeper->timer);
	free(keeper->task);
	free(keeper);
}

void
lease_keeper_take(struct lease_keeper *keeper, struct connection *conn)
{
	lease_keeper_end(keeper);
	keeper->conn = conn;
}

int
lease_keeper_pid(const struct lease_keeper *keeper)
{
	return keeper->conn ? connection_backend_pid(keeper->conn) : 0;
}

void
lease_keeper_begin(struct lease_keeper *keeper, int64_t epoch)
{
	assert(keeper->conn && keeper->state == KEEPER_IDLE);
	snprintf(keeper->epoch, sizeof keeper->epoch, "%" PRId64, epoch);
	keeper->state = KEEPER_RENEWING;
	keeper->renewed_ms = loop_now_ms(keeper->loop);
	loop_timer_arm(keeper->timer, LEASE_RENEW_MS);
}

bool
lease_keeper_is_lost(const struct lease_keeper *keeper, struct error *err)
{
	if (keeper->state != KEEPER_LOST)
		return false;
	*err = keeper->why;
	return true;
}
