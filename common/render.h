/*
 * The text form of the change format: one line for each message, in the manner
 * of test_decoding, saying everything that the binary message says.
 *
 *	startup: version: 1 server: 150020 encoding: 'UTF8' database: 'shop' options: streaming='off'
 *	relation public.orders: number: 1 oid: 16390 identity: default values: binary columns:
 *		id[integer] (attnum: 1 type: pg_catalog.int4 23 base: 23 typmod: -1 kind: b width: 4 key primary not-null), …
 *		leaves: 16393, 16399						(all in one line)
 *	BEGIN 733 (commit at 0/16B3748, 2026-01-02 03:04:05.678+00)
 *	table public.orders: INSERT: id[integer]:1 note[text]:'it''s'
 *	table public.orders: UPDATE: id[integer]:1 note[text]:unchanged-toast-datum
 *	table public.orders: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 note[text]:null
 *	table public.orders: UPDATE: old-tuple: … new-tuple: …		(REPLICA IDENTITY FULL)
 *	table public.orders: UPDATE: (no-identity) new-tuple: …
 *	table public.orders: DELETE: old-key: id[integer]:1
 *	table public.orders: DELETE: (no-identity)
 *	table public.orders, public.sales (leaf: 'public.sales_1'): TRUNCATE: restart_seqs cascade
 *	message: transactional: 1 lsn: 0/16B3748 prefix: 'p' size: 5 content: 'hello'
 *	COMMIT (end 0/16B3780)
 *	stream start: 734	stream subtransaction: 735	stream stop
 *	stream commit: 734 (commit at 0/16B3748, end 0/16B3780, 2026-01-02 03:04:05.678+00)
 *	stream abort: 734 (subtransaction 735)
 *
 * Names and values are quoted as in quote.h: a value with control characters
 * is an E'…' literal, so that a message never takes more than one line.
 */
#ifndef SLUICE_RENDER_H
#define SLUICE_RENDER_H

#include "change.h"

/* Appends the line, without a new line at its end; whether it fitted is asked
 * of the buffer.  `d` decoded `c`. */
void render_change(struct buffer *out, const struct change_decoder *d, const struct change *c);

#endif
