/*
 * Values on their way from a tuple into a row of the change format: exactly
 * the field that COPY BINARY writes for the type, or the type's text.
 *
 * The way is chosen once for each column.  Common types are written straight
 * from the datum without any allocation, the rest by their send function.
 */
#ifndef SLUICE_VALUE_H
#define SLUICE_VALUE_H

#include "postgres.h"

#include "fmgr.h"

#include "common/buffer.h"

struct value_encoder {
	/* A fixed-length type writes its bytes, any other a string. */
	void (*put)(struct buffer *b, Datum value, struct value_encoder *encoder);
	uint16_t width;	   /* bytes of every value, 0 where it varies */
	bool varlena;	   /* values may be out of line or compressed */
	FmgrInfo function; /* the send or output function of a type that has no encoder here */
};

/*
 * Whether the binary form of a column of this type means the same on another
 * server: that of built-in types and of enums, unless it holds OIDs of objects
 * that were made here, as reg* types do and the arrays and rows of types that
 * users make.  Types of extensions are unknown.  A domain is
 * judged by its base type.
 */
bool value_is_portable(Oid type);

/* The bytes of every value of a portable type, 0 where it varies. */
uint16_t value_width(Oid type);

/* `type` must be portable unless `text`; what the encoder needs lives in `context`. */
void value_encoder_init(struct value_encoder *encoder, Oid type, bool text, MemoryContext context);

/* May allocate in the current memory context. */
static inline void
value_put(struct buffer *b, Datum value, struct value_encoder *encoder)
{
	encoder->put(b, value, encoder);
}

#endif
