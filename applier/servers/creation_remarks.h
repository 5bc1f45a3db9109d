/* Reports which parts of their definitions the tables to be made will lack, and why. */
#ifndef SLUICE_CREATION_REMARKS_H
#define SLUICE_CREATION_REMARKS_H

#include "dialect/dialect.h"
#include "tables/catalog.h"

/* Receives one line for each type, default, CHECK and index that will be missing. */
typedef void (*creation_spec_remark_taker)(void *arg, const char *subject, const char *text);
void creation_spec_remarks(const struct dialect *dialect, const struct catalog *catalog,
						   creation_spec_remark_taker take, void *arg);
/* Logs the same lines as warnings. */
void creation_spec_warn(const struct dialect *dialect, const struct catalog *catalog);

#endif
