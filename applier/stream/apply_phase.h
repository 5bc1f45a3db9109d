/*
 * The phases of the current batch.  Up to the position all requests are sent
 * without waiting for answers; all must be answered before the COMMIT.
 *
 *	idle ► beginning ► merging ► holding ► dropping ► advancing ► written ► committing ► tidying ► idle
 *
 * A round that is not the last goes from holding to written and from there to idle.  A batch that is applied again goes
 * through rolling back and discarding to beginning.
 */
#ifndef SLUICE_APPLY_PHASE_H
#define SLUICE_APPLY_PHASE_H

#include <stdbool.h>

enum apply_phase {
	APPLY_IDLE,
	APPLY_BEGINNING,
	APPLY_MERGING,	 /* the steps of the batch's order */
	APPLY_HOLDING,	 /* writing which tables are held from here on */
	APPLY_DROPPING,	 /* dropping surplus staging tables */
	APPLY_ADVANCING, /* writing the new position */
	APPLY_WRITTEN,	 /* all requests are sent; waiting for the answers */
	APPLY_COMMITTING,
	APPLY_TIDYING,		/* deallocating statements, tidying sluice.progress: between two transactions */
	APPLY_ROLLING_BACK, /* before the batch is applied again */
	APPLY_DISCARDING,	/* likewise: discarding the staging tables */
	APPLY_FAILED,
	APPLY_PHASES,
};

const char *apply_phase_name(enum apply_phase phase);
bool apply_phase_may_follow(enum apply_phase from, enum apply_phase to);

#endif
