#include "value_text.h"

#include "value_text_types.h"

#include <stdlib.h>

/* A built-in type and how its values are written: by `put`, or as a range or
 * multirange of `subtype`. */
struct type {
	uint32_t oid;
	value_text_writer put;
	uint32_t range_of;
	uint32_t multirange_of;
};

/* From pg_type.dat, sorted by OID.  Arrays have no entry: their values contain the OID
 * of the element type. */
static const struct type types[] = {
	{.oid = 16, .put = value_text_bool},
	{.oid = 17, .put = value_text_bytea},
	{.oid = 18, .put = value_text_char},
	{.oid = 19, .put = value_text_string}, /* name */
	{.oid = 20, .put = value_text_int8},
	{.oid = 21, .put = value_text_int2},
	{.oid = 22, .put = value_text_vector}, /* int2vector */
	{.oid = 23, .put = value_text_int4},
	{.oid = 25, .put = value_text_string}, /* text */
	{.oid = 26, .put = value_text_oid},
	{.oid = 27, .put = value_text_tid},
	{.oid = 28, .put = value_text_oid},		/* xid */
	{.oid = 29, .put = value_text_oid},		/* cid */
	{.oid = 30, .put = value_text_vector},	/* oidvector */
	{.oid = 114, .put = value_text_string}, /* json */
	{.oid = 142, .put = value_text_string}, /* xml */
	{.oid = 600, .put = value_text_point},
	{.oid = 601, .put = value_text_lseg},
	{.oid = 602, .put = value_text_path},
	{.oid = 603, .put = value_text_box},
	{.oid = 604, .put = value_text_polygon},
	{.oid = 628, .put = value_text_line},
	{.oid = 650, .put = value_text_inet}, /* cidr */
	{.oid = 700, .put = value_text_float4},
	{.oid = 701, .put = value_text_float8},
	{.oid = 705, .put = value_text_string}, /* unknown */
	{.oid = 718, .put = value_text_circle},
	{.oid = 774, .put = value_text_macaddr}, /* macaddr8 */
	{.oid = 790, .put = value_text_money},
	{.oid = 829, .put = value_text_macaddr},
	{.oid = 869, .put = value_text_inet},
	{.oid = 1042, .put = value_text_string}, /* bpchar */
	{.oid = 1043, .put = value_text_string}, /* varchar */
	{.oid = 1082, .put = value_text_date},
	{.oid = 1083, .put = value_text_time},
	{.oid = 1114, .put = value_text_timestamp},
	{.oid = 1184, .put = value_text_timestamptz},
	{.oid = 1186, .put = value_text_interval},
	{.oid = 1266, .put = value_text_timetz},
	{.oid = 1560, .put = value_text_bits}, /* bit */
	{.oid = 1562, .put = value_text_bits}, /* varbit */
	{.oid = 1700, .put = value_text_numeric},
	{.oid = 1790, .put = value_text_string}, /* refcursor */
	{.oid = 2950, .put = value_text_uuid},
	{.oid = 2970, .put = value_text_snapshot}, /* txid_snapshot */
	{.oid = 3220, .put = value_text_lsn},
	{.oid = 3614, .put = value_text_tsvector},
	{.oid = 3615, .put = value_text_tsquery},
	{.oid = 3802, .put = value_text_versioned}, /* jsonb */
	{.oid = 3904, .range_of = 23},				/* int4range */
	{.oid = 3906, .range_of = 1700},			/* numrange */
	{.oid = 3908, .range_of = 1114},			/* tsrange */
	{.oid = 3910, .range_of = 1184},			/* tstzrange */
	{.oid = 3912, .range_of = 1082},			/* daterange */
	{.oid = 3926, .range_of = 20},				/* int8range */
	{.oid = 4072, .put = value_text_versioned}, /* jsonpath */
	{.oid = 4451, .multirange_of = 23},			/* int4multirange */
	{.oid = 4532, .multirange_of = 1700},		/* nummultirange */
	{.oid = 4533, .multirange_of = 1114},		/* tsmultirange */
	{.oid = 4534, .multirange_of = 1184},		/* tstzmultirange */
	{.oid = 4535, .multirange_of = 1082},		/* datemultirange */
	{.oid = 4536, .multirange_of = 20},			/* int8multirange */
	{.oid = 5038, .put = value_text_snapshot},	/* pg_snapshot */
	{.oid = 5069, .put = value_text_xid8},
};

static int
compare_oid(const void *key, const void *entry)
{
	uint32_t oid = *(const uint32_t *) key;
	const struct type *type = entry;

	return oid < type->oid ? -1 : oid > type->oid;
}

static const struct type *
find_type(uint32_t oid)
{
	return bsearch(&oid, types, sizeof types / sizeof *types, sizeof *types, compare_oid);
}

static bool
put_builtin(struct buffer *out, const struct type *type, struct reader *in)
{
	bool ok;

	if (type->range_of)
		ok = value_text_range(out, in, type->range_of);
	else if (type->multirange_of)
		ok = value_text_multirange(out, in, type->multirange_of);
	else
		ok = type->put(out, in);
	return ok && !in->failed && reader_left(in) == 0;
}

bool
value_text_put_element(struct buffer *out, uint32_t oid, struct reader *in, size_t len)
{
	const struct type *type = find_type(oid);
	struct reader element;

	reader_init(&element, reader_get(in, len), len);
	return type && !in->failed && put_builtin(out, type, &element);
}

static bool
put_value(struct buffer *out, uint32_t oid, char typtype, struct reader *in)
{
	const struct type *type = find_type(oid);

	if (type)
		return put_builtin(out, type, in);
	if (typtype == 'e')
		return value_text_string(out, in);
	if (typtype == 'A')
		return value_text_array(out, in) && !in->failed && reader_left(in) == 0;
	return false;
}

void
value_text_put(struct buffer *out, uint32_t type, char typtype, const uint8_t *data, size_t len)
{
	size_t start = out->len;
	struct reader in;

	reader_init(&in, data, len);
	if (put_value(out, type, typtype, &in))
		return;
	/* The buffer was too small; the bytes may be a valid value, so they are not written as \x. */
	if (out->failed)
		return;
	out->len = start;
	reader_init(&in, data, len);
	(void) value_text_bytea(out, &in);
}
