/*
 * The process as a systemd service: reports readiness, status and liveness (sd_notify(3)). Does nothing if
 * the process was not started by systemd.
 */
#ifndef SLUICE_SERVICE_H
#define SLUICE_SERVICE_H

#include "base/error.h"
#include "loop.h"

struct service;

/*
 * Sends READY: the configuration is read and the loop is about to run; the servers need not be reachable.
 * From then on a timer in the loop answers the watchdog, so that systemd restarts a process whose loop
 * stands still for WatchdogSec.
 */
struct service *service_begin(struct loop *loop);
/* Sets the line that `systemctl status` shows; sent only if it changed. */
void service_status(struct service *service, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Sends STOPPING. */
void service_end(struct service *service);

#endif
