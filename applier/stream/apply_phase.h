/*
 * What is asked of the destination next for the current batch.  Up to the
 * position everything is asked without waiting for the answers; they are
 * waited for before the COMMIT.
 *
 *	idle ► beginning ► merging ► holding ► dropping ► advancing ► written ► committing ► vacuuming ► idle
 *
 * A round that is not the last goes from holding to written and from there to idle.  A batch that is to be done
 * again goes through rolling back and discarding to beginning.
 */
#ifndef SLUICE_APPLY_PHASE_H
#define SLUICE_APPLY_PHASE_H

#include <stdbool.h>

enum apply_phase {
	APPLY_IDLE,
	APPLY_BEGINNING,
	APPLY_MERGING,	 /* the steps of the batch's order */
	APPLY_HOLDING,	 /* writing down which tables are held from here on */
	APPLY_DROPPING,	 /* staging tables that are too many */
	APPLY_ADVANCING, /* writing the new position */
	APPLY_WRITTEN,	 /* all of that was asked */
	APPLY_COMMITTING,
	APPLY_VACUUMING,
	APPLY_ROLLING_BACK, /* to do the batch again, in other words or without a table */
	APPLY_DISCARDING,	/* likewise: the staging tables */
	APPLY_FAILED,
	APPLY_PHASES,
};

const char *apply_phase_name(enum apply_phase phase);
bool apply_phase_may_follow(enum apply_phase from, enum apply_phase to);

#endif
