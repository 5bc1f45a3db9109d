/*
 * One function for each built-in type, the parts of value_text.c.  Each reads
 * one value in binary form and appends its text.  False, or a reader that
 * failed or did not reach the end, means that the bytes are no such value; what
 * was appended until then is taken back by the caller.
 */
#ifndef SLUICE_VALUE_TEXT_TYPES_H
#define SLUICE_VALUE_TEXT_TYPES_H

#include "buffer.h"

typedef bool (*value_text_writer)(struct buffer *out, struct reader *in);

/* value_text.c: a value of any type inside another, `len` bytes long. */
bool value_text_put_element(struct buffer *out, uint32_t type, struct reader *in, size_t len);

/* value_text_number.c */
bool value_text_bool(struct buffer *out, struct reader *in);
bool value_text_int2(struct buffer *out, struct reader *in);
bool value_text_int4(struct buffer *out, struct reader *in);
bool value_text_int8(struct buffer *out, struct reader *in);
bool value_text_oid(struct buffer *out, struct reader *in);
bool value_text_xid8(struct buffer *out, struct reader *in);
bool value_text_float4(struct buffer *out, struct reader *in);
bool value_text_float8(struct buffer *out, struct reader *in);
bool value_text_numeric(struct buffer *out, struct reader *in);
bool value_text_money(struct buffer *out, struct reader *in);

/* value_text_time.c */
bool value_text_date(struct buffer *out, struct reader *in);
bool value_text_time(struct buffer *out, struct reader *in);
bool value_text_timetz(struct buffer *out, struct reader *in);
bool value_text_timestamp(struct buffer *out, struct reader *in);
bool value_text_timestamptz(struct buffer *out, struct reader *in);
bool value_text_interval(struct buffer *out, struct reader *in);

/* value_text_string.c: strings, and types with a notation of their own for bytes */
bool value_text_string(struct buffer *out, struct reader *in);
bool value_text_char(struct buffer *out, struct reader *in);
bool value_text_versioned(struct buffer *out, struct reader *in);
bool value_text_bytea(struct buffer *out, struct reader *in);
bool value_text_bits(struct buffer *out, struct reader *in);
bool value_text_uuid(struct buffer *out, struct reader *in);
bool value_text_macaddr(struct buffer *out, struct reader *in);
bool value_text_inet(struct buffer *out, struct reader *in);
bool value_text_lsn(struct buffer *out, struct reader *in);
bool value_text_tid(struct buffer *out, struct reader *in);
bool value_text_snapshot(struct buffer *out, struct reader *in);

/* value_text_geometry.c */
bool value_text_point(struct buffer *out, struct reader *in);
bool value_text_lseg(struct buffer *out, struct reader *in);
bool value_text_box(struct buffer *out, struct reader *in);
bool value_text_path(struct buffer *out, struct reader *in);
bool value_text_polygon(struct buffer *out, struct reader *in);
bool value_text_line(struct buffer *out, struct reader *in);
bool value_text_circle(struct buffer *out, struct reader *in);

/* value_text_search.c */
bool value_text_tsvector(struct buffer *out, struct reader *in);
bool value_text_tsquery(struct buffer *out, struct reader *in);

/* value_text_nested.c: values made of values */
bool value_text_array(struct buffer *out, struct reader *in);
bool value_text_vector(struct buffer *out, struct reader *in);
bool value_text_range(struct buffer *out, struct reader *in, uint32_t subtype);
bool value_text_multirange(struct buffer *out, struct reader *in, uint32_t subtype);

#endif
