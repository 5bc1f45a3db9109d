/*
 * Which row of the source a copy has failed of.  A destination counts the rows of a COPY, and says a column; a source
 * that cannot convert a value says neither.
 */
#ifndef SLUICE_COPY_REFUSAL_H
#define SLUICE_COPY_REFUSAL_H

#include "copy_job.h"

/*
 * Puts the row's key (its ctid where it has none), and the column where only that can be found here, in front of the
 * message.  Asks the source, in a session of its own, at the snapshot of the copy; where that cannot be had the message
 * stays as it is.  Pumps the loop.
 */
void copy_refusal_name_row(const struct copy *copy, struct error *err);

#endif
