/*
 * The process as a service of systemd: says that it is ready, what it is
 * doing, and that it is alive (sd_notify(3)).  Does nothing where the process
 * was started otherwise.
 */
#ifndef SLUICE_SERVICE_H
#define SLUICE_SERVICE_H

#include "base/error.h"
#include "loop.h"

struct service;

/*
 * READY: the configuration is read and the loop is about to turn; the servers need not be there.  From then on
 * a timer in the loop answers the watchdog: a loop that stands still for WatchdogSec is ended and started again.
 */
struct service *service_begin(struct loop *loop);
/* One line for `systemctl status`; sent when it differs from the one before. */
void service_status(struct service *service, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* STOPPING */
void service_end(struct service *service);

#endif
