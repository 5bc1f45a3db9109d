#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/memory.h"

#define STATUS_MAX 512

struct service {
	struct loop_timer *watchdog; /* NULL: systemd wants no watchdog */
	int64_t interval_ms;
	char status[STATUS_MAX];
};

static void
answer_watchdog(void *arg)
{
	struct service *service = arg;

	sd_notify(0, "WATCHDOG=1");
	loop_timer_arm(service->watchdog, service->interval_ms);
}

struct service *
service_begin(struct loop *loop)
{
	struct service *service = memory_alloc_zero(1, sizeof *service);
	uint64_t limit_us = 0;

	sd_notify(0, "READY=1");
	if (sd_watchdog_enabled(0, &limit_us) > 0) {
		/* sd_watchdog_enabled(3) recommends half of the limit. */
		service->interval_ms = (int64_t) (limit_us / 2000);
		service->watchdog = loop_timer_create(loop, answer_watchdog, service);
		loop_timer_arm(service->watchdog, service->interval_ms);
	}
	return service;
}

void
service_status(struct service *service, const char *fmt, ...)
{
	char status[STATUS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(status, sizeof status, fmt, args);
	va_end(args);
	for (char *c = status; *c; c++)
		if (*c == '\n')
			*c = ' ';
	if (strcmp(status, service->status) == 0)
		return;
	strcpy(service->status, status);
	sd_notifyf(0, "STATUS=%s", status);
}

void
service_end(struct service *service)
{
	if (!service)
		return;
	sd_notify(0, "STOPPING=1");
	if (service->watchdog)
		loop_timer_destroy(service->watchdog);
	free(service);
}
