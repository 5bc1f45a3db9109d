/*
 * All partitions of a table, found without taking locks. pg_partition_tree() locks each of them, so it
 * waits while VACUUM FULL or ALTER TABLE holds a single leaf, for hours if need be.
 */
#ifndef SLUICE_PARTITION_TREE_H
#define SLUICE_PARTITION_TREE_H

/*
 * A subquery for FROM, LATERAL if `oid` refers to an item before it. Its columns are relid, parentrelid,
 * level and isleaf; its rows are the table and all partitions below it. A table without partitions is its
 * own leaf. Partitions that are being detached are not included.
 */
#define PARTITION_TREE_SQL(oid)                                                                              \
	"(WITH RECURSIVE tree (relid, parentrelid, level) AS (SELECT " oid "::oid, NULL::oid, 0"                 \
	" UNION ALL SELECT i.inhrelid, i.inhparent, tree.level + 1 FROM tree"                                    \
	" JOIN pg_class above ON above.oid = tree.relid AND above.relkind = 'p'"                                 \
	" JOIN pg_inherits i ON i.inhparent = tree.relid"                                                        \
	" WHERE coalesce(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'false')"                                \
	" SELECT tree.relid, tree.parentrelid, tree.level, kind.relkind <> 'p' AS isleaf FROM tree"              \
	" JOIN pg_class kind ON kind.oid = tree.relid)"

#endif
