/*
 * The tables of a partitioned one, without waiting for anybody:
 * pg_partition_tree() locks each of them, behind VACUUM FULL or ALTER TABLE of
 * a single leaf for hours.
 */
#ifndef SLUICE_PARTITION_TREE_H
#define SLUICE_PARTITION_TREE_H

/*
 * For FROM (LATERAL, where `oid` refers to what stands before it): relid, parentrelid, level and isleaf of the table and
 * of all below it; a table without partitions is its own leaf.  Partitions that are being detached are none.
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
