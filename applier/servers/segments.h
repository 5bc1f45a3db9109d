/*
 * The segments of a Greenplum destination.
 */
#ifndef SLUICE_SEGMENTS_H
#define SLUICE_SEGMENTS_H

#include "dialect/dialect.h"
#include "io/connection.h"

/* Whether every segment answers now; false also if the query fails. Always true without segments. */
bool segments_answer(struct connection *destination, const struct dialect *dialect);

#endif
