/*
 * Finds the row of the source that made a copy fail.  A destination's error has the number of the row in the COPY, and
 * the column; the error of a source that cannot convert a value has neither.
 */
#ifndef SLUICE_COPY_REFUSAL_H
#define SLUICE_COPY_REFUSAL_H

#include "copy_job.h"

/*
 * Adds the row's key to the error (its ctid where it has none), and the column if it was the source that failed.  Asks
 * the source in a new session, at the snapshot of the copy; if that fails, the error stays as it is.  Pumps the loop.
 */
void copy_refusal_name_row(const struct copy *copy, struct error *err);

#endif
