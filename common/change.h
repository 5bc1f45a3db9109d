/*
 * The change format, version 2: what the output plugin writes and the applier
 * reads.  docs/change-format.md says the same for people who write a reader
 * of their own; regress/unit/test_change.c holds golden bytes.
 *
 * Numbers, strings: see buffer.h.  An LSN or a time written as a difference
 * (Δ) is a signed varint to be added to the last LSN or time of the stream
 * (struct change_base), which the startup message sets to 0.  Times are
 * microseconds since 2000-01-01 00:00 UTC, as in PostgreSQL.
 *
 * FRAME: what one CopyData message, one row of pg_logical_slot_get_binary_
 * changes(), or one record of pg_recvlogical's file carries.
 *
 *	u8   'S'
 *	u8   flags: FRAME_LZ4, FRAME_OPEN, FRAME_PART, FRAME_LINKED; the other bits are 0
 *	u32  bytes of the body that follow
 *	[u32 bytes of the body before compression, with FRAME_LZ4]
 *	body: whole messages one after another
 *
 * A compressed body is one block of lz4.  With FRAME_LINKED it refers to the 64 kB before it: the bodies, uncompressed,
 * of the compressed frames since the last one without this flag.
 *
 * With FRAME_PART the body goes on with that of the next frame, in the middle
 * of a message: so comes what is large.  A frame without FRAME_OPEN ends outside a transaction and outside a stream
 * block; a reader holds the complete transactions it has received so far.
 *
 * MESSAGES: u8 kind, then
 *
 *	'H' startup      varint version, varint server_version_num,
 *	                 string encoding, string database,
 *	                 varint n, n × (string option, string value)
 *	'R' relation     varint number (1, 2, … since the startup), varint OID, string schema, string name,
 *	                 u8 identity 'd' 'i' 'f' 'n', u8 flags (RELATION_*),
 *	                 varint n columns × column,
 *	                 varint n leaf partitions × varint OID,
 *	                 varint n additions × (varint tag, string)
 *	    column       varint attnum, string name, varint type OID,
 *	                 varint base type OID, signed typmod, u8 kind of type,
 *	                 u8 flags (COLUMN_*), varint width,
 *	                 string type schema, string type name
 *	'B' begin        varint xid, Δ commit LSN, Δ commit time
 *	'C' commit       varint bytes from commit LSN to end LSN
 *	'I' insert       varint relation, row
 *	'U' update       varint relation, u8 old (CHANGE_OLD_*), [old row], row
 *	'D' delete       varint relation, u8 old (CHANGE_OLD_*), [old row]
 *	'T' truncate     u8 flags (TRUNCATE_*), varint n × (varint relation,
 *	                 string leaf: empty, or the only leaf that was emptied)
 *	'M' message      u8 flags (MESSAGE_*), u64 LSN, string prefix,
 *	                 string content
 *	'N' definitions  u8 flags (DEFINITIONS_*), varint n × (varint OID,
 *	                 u8 what (DEFINITION_*), [varint relation, with DEFINITION_DESCRIBED])
 *	's' stream start varint xid
 *	'x' subtransaction  varint xid: the owner of the changes that follow in
 *	                 this block; each block starts with the top transaction
 *	'e' stream stop
 *	'c' stream commit   varint xid, Δ commit LSN,
 *	                 varint bytes from commit LSN to end LSN, Δ commit time
 *	'a' stream abort varint xid, varint subtransaction xid (the same: all)
 *
 * A relation's number belongs to one description for as long as the
 * connection lives: a changed table is described again under a new number, also
 * where the transaction that shows it is rolled back later.  Additions are
 * room for later versions; a reader skips tags that it does not know.
 *
 * ROW: of all columns, or, for CHANGE_OLD_KEY, of those with COLUMN_KEY.
 *
 *	u8   flags: ROW_NULLS, ROW_UNCHANGED
 *	[bitmap of the NULL columns, with ROW_NULLS]
 *	[bitmap of the unchanged TOASTed columns, with ROW_UNCHANGED]
 *	values of the columns in neither bitmap: `width` bytes where the width
 *	is not 0, a string otherwise
 *
 * Bitmaps have one bit a column of the row, the first in the lowest bit of the
 * first byte.  A value is exactly the field that COPY BINARY writes for the
 * type (typsend), or, in a relation with RELATION_TEXT, the type's text.
 */
#ifndef SLUICE_CHANGE_H
#define SLUICE_CHANGE_H

#include "buffer.h"

#define CHANGE_VERSION 2
#define CHANGE_VERSION_TEXT "2"
/* Version 1 had no definitions message; captures of it can still be read. */
#define CHANGE_OLDEST_VERSION 1

#define FRAME_MAGIC 0x53
#define FRAME_HEADER_BYTES 6
#define CHANGE_MAX_COLUMNS 1664 /* MaxTupleAttributeNumber; tables have at most 1600 */

enum frame_flags {
	FRAME_LZ4 = 0x01,
	FRAME_OPEN = 0x02,
	FRAME_PART = 0x04,	 /* only with FRAME_OPEN */
	FRAME_LINKED = 0x08, /* only with FRAME_LZ4 */
};

enum change_kind {
	CHANGE_STARTUP = 'H',
	CHANGE_RELATION = 'R',
	CHANGE_BEGIN = 'B',
	CHANGE_COMMIT = 'C',
	CHANGE_INSERT = 'I',
	CHANGE_UPDATE = 'U',
	CHANGE_DELETE = 'D',
	CHANGE_TRUNCATE = 'T',
	CHANGE_MESSAGE = 'M',
	CHANGE_DEFINITIONS = 'N',
	CHANGE_STREAM_START = 's',
	CHANGE_SUBTRANSACTION = 'x',
	CHANGE_STREAM_STOP = 'e',
	CHANGE_STREAM_COMMIT = 'c',
	CHANGE_STREAM_ABORT = 'a',
};

/* What an update or delete contains of the old row. */
enum change_old {
	CHANGE_OLD_SAME = 0, /* update only: the key is the new row's */
	CHANGE_OLD_KEY = 1,	 /* the identity's columns */
	CHANGE_OLD_FULL = 2, /* the whole row (REPLICA IDENTITY FULL) */
	CHANGE_OLD_NONE = 3, /* the table has no identity: the row cannot be found */
};

enum relation_flags {
	RELATION_TEXT = 0x01,		 /* values travel as text */
	RELATION_PARTITIONED = 0x02, /* a partitioned root */
};

enum column_flags {
	COLUMN_KEY = 0x01,	   /* in the replica identity index; unset for 'f' and 'n' */
	COLUMN_PRIMARY = 0x02, /* in the primary key */
	COLUMN_NOT_NULL = 0x04,
	COLUMN_GENERATED = 0x08, /* GENERATED ALWAYS AS (…) STORED */
	COLUMN_IDENTITY = 0x10,	 /* GENERATED … AS IDENTITY */
};

enum truncate_flags {
	TRUNCATE_CASCADE = 0x01,
	TRUNCATE_RESTART = 0x02,
};

/* Definitions that a transaction changed, other than those of the listed relations. */
enum definitions_flags {
	DEFINITIONS_TYPES = 0x01, /* labels of enums, attributes of composite types */
	DEFINITIONS_MORE = 0x02,  /* further relations, which are not listed */
};

/* What happened to one relation. */
enum definition_kind {
	DEFINITION_DESCRIBED = 0, /* its rows are sent with the description of that number */
	DEFINITION_DROPPED = 1,
	DEFINITION_UNKNOWN = 2,	  /* it changed, but could not be read */
	DEFINITION_UNLOGGED = 3,  /* it is unlogged now: its changes are not in the log */
	DEFINITION_REWRITTEN = 4, /* the server rewrote its rows, at this place in the transaction */
	DEFINITION_MISSED = 5,	  /* its rows changed, under a name that is not selected */
};

struct change_definition {
	uint32_t oid; /* pg_class.oid at the source */
	enum definition_kind kind;
	uint32_t relation; /* DEFINITION_DESCRIBED: its number */
};

enum message_flags {
	MESSAGE_TRANSACTIONAL = 0x01,
};

enum row_flags {
	ROW_NULLS = 0x01,
	ROW_UNCHANGED = 0x02,
};

struct change_column {
	int16_t attnum;
	const char *name;
	uint32_t type;		/* pg_type.oid at the source */
	uint32_t base_type; /* a domain's base type (to the bottom), otherwise the type itself */
	int32_t typmod;
	char typtype; /* pg_type.typtype of the base type; 'A' for an array */
	uint8_t flags;
	uint16_t width; /* bytes of every value, 0 where it varies; always 0 with RELATION_TEXT */
	const char *type_schema;
	const char *type_name;
};

struct change_relation {
	uint32_t number;
	uint32_t oid;
	const char *schema;
	const char *name;
	char identity;
	uint8_t flags;
	unsigned column_count;
	unsigned key_count; /* columns with COLUMN_KEY; counted by the decoder */
	struct change_column *columns;
	unsigned leaf_count;
	uint32_t *leaves;
};

/* The last LSN and time of the stream, to which the next difference (Δ) is added. */
struct change_base {
	uint64_t lsn;
	int64_t time;
};

struct change_option {
	struct bytes name;
	struct bytes value;
};

/* ---- Encoding.  Everything is appended to a buffer; the caller checks
 * buffer.failed afterwards. */

/* Begins a frame; returns its position, for change_frame_end(). */
size_t change_frame_start(struct buffer *b);
void change_frame_end(struct buffer *b, size_t start, uint8_t flags);

void change_put_startup(struct buffer *b, struct change_base *base, unsigned server_version_num,
						const char *encoding, const char *database, const struct change_option *options,
						unsigned option_count);
void change_put_relation(struct buffer *b, const struct change_relation *rel);
void change_put_begin(struct buffer *b, struct change_base *base, uint32_t xid, uint64_t commit_lsn,
					  int64_t commit_time);
void change_put_commit(struct buffer *b, struct change_base *base, uint64_t end_lsn);
void change_put_truncate(struct buffer *b, uint8_t flags, unsigned count);
/* Follows change_put_truncate(), `count` times; leaf is "" for the whole relation. */
void change_put_truncated(struct buffer *b, uint32_t relation, const char *leaf);
void change_put_message(struct buffer *b, uint8_t flags, uint64_t lsn, const char *prefix,
						const void *content, size_t content_len);
void change_put_definitions(struct buffer *b, uint8_t flags, unsigned count);
/* Follows change_put_definitions(), `count` times. */
void change_put_definition(struct buffer *b, const struct change_definition *definition);
void change_put_stream_start(struct buffer *b, uint32_t xid);
void change_put_subtransaction(struct buffer *b, uint32_t xid);
void change_put_stream_stop(struct buffer *b);
void change_put_stream_commit(struct buffer *b, struct change_base *base, uint32_t xid, uint64_t commit_lsn,
							  uint64_t end_lsn, int64_t commit_time);
void change_put_stream_abort(struct buffer *b, uint32_t xid, uint32_t subxid);

/* The head of an insert, update or delete; the row or rows follow. */
static inline void
change_put_insert(struct buffer *b, uint32_t relation)
{
	buffer_put_u8(b, CHANGE_INSERT);
	buffer_put_varint(b, relation);
}

static inline void
change_put_update(struct buffer *b, uint32_t relation, enum change_old old)
{
	buffer_put_u8(b, CHANGE_UPDATE);
	buffer_put_varint(b, relation);
	buffer_put_u8(b, (uint8_t) old);
}

static inline void
change_put_delete(struct buffer *b, uint32_t relation, enum change_old old)
{
	buffer_put_u8(b, CHANGE_DELETE);
	buffer_put_varint(b, relation);
	buffer_put_u8(b, (uint8_t) old);
}

/*
 * A row's head.  After it the caller writes the values of the columns that are
 * neither NULL nor unchanged, in order.  `unchanged` may be NULL if no column
 * is.
 */
void change_put_row_head(struct buffer *b, unsigned column_count, const bool *nulls, const bool *unchanged);

/* ---- Decoding.  Only relation descriptions are copied. */

enum value_kind { VALUE_NULL, VALUE_UNCHANGED, VALUE_PRESENT };

struct value {
	const uint8_t *data;
	uint32_t len;
	enum value_kind kind;
};

/* A row's bytes in the frame, and its columns' values.  With
 * CHANGE_OLD_KEY, too, `values` has an entry for every column of the relation;
 * columns outside the key are VALUE_UNCHANGED. */
struct change_row {
	struct bytes raw;
	const struct value *values;
};

struct change {
	enum change_kind kind;
	uint32_t xid;							/* begin, stream_*, subtransaction */
	uint32_t subxid;						/* stream abort */
	const struct change_relation *relation; /* relation, insert, update, delete */
	enum change_old old_kind;				/* update, delete */
	struct change_row old;
	struct change_row new;
	uint64_t commit_lsn; /* begin, stream commit */
	uint64_t end_lsn;	 /* commit, stream commit */
	int64_t commit_time; /* begin, stream commit */
	uint8_t flags;		 /* truncate, message, definitions */
	unsigned truncated_count;
	struct bytes truncated; /* truncate: for change_next_truncated() */
	unsigned definition_count;
	struct bytes definitions; /* definitions: for change_next_definition() */
	uint64_t message_lsn;
	struct bytes prefix;
	struct bytes content;
	unsigned version; /* startup */
	unsigned server_version_num;
	struct bytes encoding;
	struct bytes database;
	unsigned option_count;
	struct bytes options; /* startup: for change_next_option() */
};

struct change_decoder {
	struct change_base base;
	/* All descriptions since the beginning, in order; NULL: freed by change_decoder_forget(). */
	struct change_relation **relations;
	uint32_t relation_count;
	uint32_t relation_cap;
	uint32_t relation_first; /* relations[relation_first] has number 1 since the last startup */
	bool started;
	const char *problem; /* why the last decode failed, in words */
	struct value *old_values;
	struct value *new_values;
};

/* False if there is not enough memory. */
bool change_decoder_init(struct change_decoder *d);
/* Also frees all relation descriptions. */
void change_decoder_fini(struct change_decoder *d);

struct frame {
	uint8_t flags;
	struct bytes body; /* compressed with FRAME_LZ4 */
	size_t raw_len;	   /* bytes of the body before compression */
};

enum frame_result { FRAME_READ, FRAME_INCOMPLETE, FRAME_MALFORMED };

/* Reads the frame at the reader's position and moves past it.  After
 * FRAME_INCOMPLETE the reader is where it was. */
enum frame_result change_frame_read(struct reader *r, struct frame *frame);

/*
 * Decodes the message at the reader's position.  False if it is malformed:
 * then d->problem says why.  Views in `change` are valid as long as the frame, the
 * values arrays until the next call, relations until change_decoder_forget() or
 * change_decoder_fini().
 */
bool change_decode(struct change_decoder *d, struct reader *r, struct change *change);

/* Frees the description with this number; a later message that refers to it is malformed. */
void change_decoder_forget(struct change_decoder *d, uint32_t number);

/*
 * Decodes one row (all columns, or the key's) into values[relation's columns].
 * False if the bytes end too early or have an unknown flag.
 */
bool change_decode_row(const struct change_relation *rel, bool key_only, struct reader *r,
					   struct value *values);

/* The description with this number; NULL if there is none. */
const struct change_relation *change_relation_of(const struct change_decoder *d, uint32_t number);

/* Steps through a truncate's relations; `at` starts at 0. */
bool change_next_truncated(const struct change_decoder *d, const struct change *change, size_t *at,
						   const struct change_relation **relation, struct bytes *leaf);
/* Steps through a definitions message's relations; `at` starts at 0. */
bool change_next_definition(const struct change *change, size_t *at, struct change_definition *definition);
/* Steps through a startup's options; `at` starts at 0. */
bool change_next_option(const struct change *change, size_t *at, struct change_option *option);

#endif
