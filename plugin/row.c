#include "row.h"

void
row_deform(struct row *row, HeapTuple tuple, TupleDesc desc)
{
	heap_deform_tuple(tuple, desc, row->values, row->nulls);
	row->any_unchanged = false;
	if (!HeapTupleHasExternal(tuple))
		return;
	for (int i = 0; i < desc->natts; i++) {
		row->unchanged[i] = !row->nulls[i] && TupleDescAttr(desc, i)->attlen == -1 &&
							VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(row->values[i]));
		row->any_unchanged |= row->unchanged[i];
	}
}

void
row_fill(struct row *row, const struct row *old, TupleDesc desc)
{
	if (!row->any_unchanged)
		return;
	row->any_unchanged = false;
	for (int i = 0; i < desc->natts; i++) {
		if (!row->unchanged[i])
			continue;
		if (old->nulls[i] || (old->any_unchanged && old->unchanged[i])) {
			row->any_unchanged = true;
			continue;
		}
		row->values[i] = old->values[i];
		row->unchanged[i] = false;
	}
}

void
row_put(struct buffer *b, const struct relation_entry *entry, const struct row *row, bool key_only)
{
	unsigned column_count = entry->description->relation.column_count;
	struct column_source *present[MaxTupleAttributeNumber];
	bool nulls[MaxTupleAttributeNumber];
	bool unchanged[MaxTupleAttributeNumber];
	unsigned count = 0, present_count = 0;

	nulls[0] = unchanged[0] = false; /* defined even for a table without columns */
	for (unsigned i = 0; i < column_count; i++) {
		struct column_source *source = &entry->columns[i];
		int attribute = source->attribute;

		if (key_only && !source->key)
			continue;
		nulls[count] = row->nulls[attribute];
		unchanged[count] = row->any_unchanged && row->unchanged[attribute];
		if (!nulls[count] && !unchanged[count])
			present[present_count++] = source;
		count++;
	}
	change_put_row_head(b, count, nulls, row->any_unchanged ? unchanged : NULL);
	for (unsigned i = 0; i < present_count; i++)
		value_put(b, row->values[present[i]->attribute], &present[i]->encoder);
}
