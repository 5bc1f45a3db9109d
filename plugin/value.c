#include "value.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "storage/itemptr.h"
#include "utils/date.h"
#include "utils/geo_decls.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "encoding.h"
#include "settings.h"

/* ---- fixed-length types */

static void
put_one_byte(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	(void) encoder;
	buffer_put_u8(b, DatumGetUInt8(value));
}

static void
put_bool(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	(void) encoder;
	buffer_put_u8(b, DatumGetBool(value) ? 1 : 0);
}

static void
put_two_bytes(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	(void) encoder;
	buffer_put_u16(b, DatumGetUInt16(value));
}

static void
put_four_bytes(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	(void) encoder;
	buffer_put_u32(b, DatumGetUInt32(value));
}

static void
put_eight_bytes(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	(void) encoder;
	buffer_put_u64(b, (uint64_t) DatumGetInt64(value));
}

/* float4 and float8: their datums hold the bits, but may be references. */
static void
put_float4(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	float4 number = DatumGetFloat4(value);
	uint32_t bits;

	(void) encoder;
	memcpy(&bits, &number, sizeof bits);
	buffer_put_u32(b, bits);
}

static void
put_float8(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	float8 number = DatumGetFloat8(value);
	uint64_t bits;

	(void) encoder;
	memcpy(&bits, &number, sizeof bits);
	buffer_put_u64(b, bits);
}

/* point, lseg, box, line, circle: so many float8 side by side. */
static void
put_coordinates(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	const char *at = DatumGetPointer(value);

	for (const char *end = at + encoder->width; at < end; at += sizeof(uint64_t)) {
		uint64_t bits;

		memcpy(&bits, at, sizeof bits);
		buffer_put_u64(b, bits);
	}
}

/* uuid, macaddr, macaddr8 */
static void
put_fixed_bytes(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	buffer_put(b, DatumGetPointer(value), encoder->width);
}

static void
put_interval(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	const Interval *interval = DatumGetIntervalP(value);

	(void) encoder;
	buffer_put_u64(b, (uint64_t) interval->time);
	buffer_put_u32(b, (uint32_t) interval->day);
	buffer_put_u32(b, (uint32_t) interval->month);
}

static void
put_timetz(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	const TimeTzADT *time = DatumGetTimeTzADTP(value);

	(void) encoder;
	buffer_put_u64(b, (uint64_t) time->time);
	buffer_put_u32(b, (uint32_t) time->zone);
}

static void
put_tid(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	ItemPointer tid = (ItemPointer) DatumGetPointer(value);

	(void) encoder;
	buffer_put_u32(b, ItemPointerGetBlockNumberNoCheck(tid));
	buffer_put_u16(b, ItemPointerGetOffsetNumberNoCheck(tid));
}

/* ---- types of any length */

/*
 * The datum in line and uncompressed.  Decoding puts a TOASTed value together
 * elsewhere in memory and leaves a pointer; following it here saves the copy
 * that detoasting makes.
 */
static struct varlena *
unpacked(Datum value)
{
	struct varlena *data = (struct varlena *) DatumGetPointer(value);

	while (VARATT_IS_EXTERNAL_INDIRECT(data)) {
		struct varatt_indirect redirect;

		memcpy(&redirect, VARDATA_EXTERNAL(data), sizeof redirect);
		data = redirect.pointer;
	}
	return pg_detoast_datum_packed(data);
}

static void
put_varlena(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	struct varlena *data = unpacked(value);

	(void) encoder;
	buffer_put_string(b, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
}

/* text and the like, if the database is not in the encoding of the stream */
static void
put_converted(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	struct varlena *data = unpacked(value);

	(void) encoder;
	encoding_put(b, NULL, 0, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
}

static void
put_c_string(struct buffer *b, const char *text)
{
	encoding_put(b, NULL, 0, text, strlen(text));
}

static void
put_name(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	(void) encoder;
	put_c_string(b, NameStr(*DatumGetName(value)));
}

static void
put_enum(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	HeapTuple tuple = SearchSysCache1(ENUMOID, value);

	(void) encoder;
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for enum %u", DatumGetObjectId(value));
	put_c_string(b, NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel));
	ReleaseSysCache(tuple);
}

/* As jsonb_send: the version of the format, then the text. */
static void
put_jsonb(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	Jsonb *json = (Jsonb *) pg_detoast_datum(unpacked(value));
	StringInfoData text;

	(void) encoder;
	initStringInfo(&text);
	(void) JsonbToCString(&text, &json->root, VARSIZE(json));
	encoding_put(b, "\1", 1, text.data, (size_t) text.len);
}

/*
 * numeric: what numeric_send makes of the stored form (utils/adt/numeric.c,
 * NumericData), which has not changed since 9.1: a header of 16 bits, for a
 * long one the weight in 16 more, then the digits to base 10000.
 *
 *	00 sign dscale(14)		positive, long
 *	01 …					negative, long
 *	10 sign dscale(6) weight(7)	short
 *	11 kind(2) 0…			NaN, Infinity, -Infinity
 */
#define NUMERIC_KIND 0xC000
#define NUMERIC_NEGATIVE 0x4000
#define NUMERIC_SHORT 0x8000
#define NUMERIC_SPECIAL 0xC000

static inline uint16_t
numeric_word(const char *data, size_t index)
{
	uint16_t word;

	memcpy(&word, data + index * sizeof word, sizeof word);
	return word;
}

static void
put_numeric(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	struct varlena *number = unpacked(value);
	const char *data = VARDATA_ANY(number);
	size_t words = VARSIZE_ANY_EXHDR(number) / sizeof(uint16_t);
	uint16_t header = numeric_word(data, 0);
	bool is_short = header & NUMERIC_SHORT;
	size_t first = is_short ? 1 : 2;
	size_t digits = words - first;
	uint16_t sign, weight, dscale;

	(void) encoder;
	if (is_short) {
		sign = header & 0x2000 ? NUMERIC_NEGATIVE : 0;
		weight = (uint16_t) ((header & 0x3f) | (header & 0x40 ? 0xffc0 : 0));
		dscale = (header & 0x1f80) >> 7;
	} else {
		sign = header & NUMERIC_KIND;
		weight = numeric_word(data, 1);
		dscale = header & 0x3fff;
	}
	if ((header & NUMERIC_KIND) == NUMERIC_SPECIAL)
		sign = header & 0xf000;
	buffer_put_varint(b, (4 + digits) * sizeof(uint16_t));
	buffer_put_u16(b, (uint16_t) digits);
	buffer_put_u16(b, weight);
	buffer_put_u16(b, sign);
	buffer_put_u16(b, dscale);
	for (size_t i = 0; i < digits; i++)
		buffer_put_u16(b, numeric_word(data, first + i));
}

/* ---- types written by their own send or output function */

static void
put_sent(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	bytea *sent;

	if (encoder->varlena)
		value = PointerGetDatum(unpacked(value));
	sent = SendFunctionCall(&encoder->function, value);
	buffer_put_string(b, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent));
}

/* NULL: the value has a character that UTF-8 lacks. */
static bytea *
send_as_utf8(Datum value, struct value_encoder *encoder)
{
	MemoryContext before = CurrentMemoryContext;
	bytea *volatile sent = NULL;

	PG_TRY();
	{
		sent = SendFunctionCall(&encoder->function, value);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNTRANSLATABLE_CHARACTER)
			PG_RE_THROW();
		MemoryContextSwitchTo(before);
		FlushErrorState();
	}
	PG_END_TRY();
	return sent;
}

/* put_sent() for a database that is not in the encoding of the stream; see encoding.h for characters that UTF-8 lacks. */
static void
put_sent_converted(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	bytea *sent;

	if (encoder->varlena)
		value = PointerGetDatum(unpacked(value));
	sent = send_as_utf8(value, encoder);
	if (sent) {
		buffer_put_string(b, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent));
		return;
	}
	settings_unpin_encoding();
	sent = SendFunctionCall(&encoder->function, value);
	settings_pin_encoding();
	encoding_put_unconverted(b, NULL, 0, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent));
}

static void
put_output(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	if (encoder->varlena)
		value = PointerGetDatum(unpacked(value));
	put_c_string(b, OutputFunctionCall(&encoder->function, value));
}

/* ---- choosing */

static const struct native {
	Oid type;
	void (*put)(struct buffer *b, Datum value, struct value_encoder *encoder);
	uint16_t width;
} natives[] = {
	{INT4OID, put_four_bytes, 4},
	{INT8OID, put_eight_bytes, 8},
	{TEXTOID, put_varlena, 0},
	{VARCHAROID, put_varlena, 0},
	{NUMERICOID, put_numeric, 0},
	{TIMESTAMPTZOID, put_eight_bytes, 8},
	{TIMESTAMPOID, put_eight_bytes, 8},
	{BOOLOID, put_bool, 1},
	{INT2OID, put_two_bytes, 2},
	{FLOAT8OID, put_float8, 8},
	{FLOAT4OID, put_float4, 4},
	{DATEOID, put_four_bytes, 4},
	{BPCHAROID, put_varlena, 0},
	{BYTEAOID, put_varlena, 0},
	{UUIDOID, put_fixed_bytes, UUID_LEN},
	{JSONBOID, put_jsonb, 0},
	{JSONOID, put_varlena, 0},
	{TIMEOID, put_eight_bytes, 8},
	{TIMETZOID, put_timetz, 12},
	{INTERVALOID, put_interval, 16},
	{OIDOID, put_four_bytes, 4},
	{XIDOID, put_four_bytes, 4},
	{CIDOID, put_four_bytes, 4},
	{XID8OID, put_eight_bytes, 8},
	{TIDOID, put_tid, 6},
	{LSNOID, put_eight_bytes, 8},
	{CASHOID, put_eight_bytes, 8},
	{CHAROID, put_one_byte, 1},
	{NAMEOID, put_name, 0},
	{REFCURSOROID, put_varlena, 0},
	{MACADDROID, put_fixed_bytes, 6},
	{MACADDR8OID, put_fixed_bytes, 8},
	{POINTOID, put_coordinates, sizeof(Point)},
	{LSEGOID, put_coordinates, sizeof(LSEG)},
	{BOXOID, put_coordinates, sizeof(BOX)},
	{LINEOID, put_coordinates, sizeof(LINE)},
	{CIRCLEOID, put_coordinates, sizeof(CIRCLE)},
};

static const struct native *
find_native(Oid type)
{
	for (size_t i = 0; i < lengthof(natives); i++)
		if (natives[i].type == type)
			return &natives[i];
	return NULL;
}

/* Types whose stored form is text. */
static bool
is_text(const struct native *native)
{
	return native->put == put_varlena && native->type != BYTEAOID;
}

/* Built-in types that hold OIDs of this server's objects, or that only the server itself can read. */
static bool
is_bound_to_server(Oid type)
{
	switch (type) {
	case REGPROCOID:
	case REGPROCEDUREOID:
	case REGOPEROID:
	case REGOPERATOROID:
	case REGCLASSOID:
	case REGCOLLATIONOID:
	case REGTYPEOID:
	case REGROLEOID:
	case REGNAMESPACEOID:
	case REGCONFIGOID:
	case REGDICTIONARYOID:
	case ACLITEMOID:
	case PG_NODE_TREEOID:
	case PG_NDISTINCTOID:
	case PG_DEPENDENCIESOID:
	case PG_MCV_LISTOID:
		return true;
	default:
		return false;
	}
}

/* The part of a pg_type row that matters here. */
struct type_facts {
	char typtype;
	bool varlena;
	Oid send;
	Oid output;
};

static struct type_facts
look_up(Oid type)
{
	HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	struct type_facts facts;
	Form_pg_type form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	facts = (struct type_facts){
		.typtype = form->typtype,
		.varlena = form->typlen == -1,
		.send = form->typsend,
		.output = form->typoutput,
	};
	ReleaseSysCache(tuple);
	return facts;
}

/* `type` has the same OID on every server. */
static bool
is_portable_built_in(Oid type, const struct type_facts *facts)
{
	Oid element = get_element_type(type);

	/* The binary form of an array names its element's type by OID. */
	if (OidIsValid(element))
		return element < FirstGenbkiObjectId && value_is_portable(element);
	return facts->typtype != TYPTYPE_COMPOSITE && OidIsValid(facts->send) && !is_bound_to_server(type);
}

bool
value_is_portable(Oid type)
{
	struct type_facts facts = look_up(type);

	if (facts.typtype == TYPTYPE_DOMAIN)
		return value_is_portable(getBaseType(type));
	if (facts.typtype == TYPTYPE_ENUM)
		return true;
	return type < FirstGenbkiObjectId && is_portable_built_in(type, &facts);
}

uint16_t
value_width(Oid type)
{
	const struct native *native = find_native(getBaseType(type));

	return native ? native->width : 0;
}

void
value_encoder_init(struct value_encoder *encoder, Oid type, bool text, MemoryContext context)
{
	Oid base = getBaseType(type);
	struct type_facts facts = look_up(base);
	const struct native *native = find_native(base);
	bool converts = encoding_converts();

	*encoder = (struct value_encoder){.varlena = facts.varlena};
	if (text) {
		encoder->put = put_output;
		fmgr_info_cxt(facts.output, &encoder->function, context);
	} else if (facts.typtype == TYPTYPE_ENUM) {
		encoder->put = put_enum;
	} else if (native) {
		encoder->put = converts && is_text(native) ? put_converted : native->put;
		encoder->width = native->width;
	} else {
		encoder->put = converts ? put_sent_converted : put_sent;
		fmgr_info_cxt(facts.send, &encoder->function, context);
	}
}
