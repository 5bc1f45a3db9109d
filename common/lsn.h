/*
 * A log sequence number in PostgreSQL's notation, "16/B374D848": its upper and
 * lower 32 bits in hexadecimal (pg_lsn, src/backend/utils/adt/pg_lsn.c).
 */
#ifndef SLUICE_LSN_H
#define SLUICE_LSN_H

#include <stdbool.h>
#include <stdint.h>

#define LSN_TEXT_BYTES 18

/* Writes at most LSN_TEXT_BYTES with the NUL; returns `out`. */
char *lsn_format(uint64_t lsn, char out[LSN_TEXT_BYTES]);

/* False when `text` as a whole is not an LSN. */
bool lsn_parse(const char *text, uint64_t *lsn);

#endif
