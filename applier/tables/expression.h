/*
 * Whether the destination may evaluate an expression of the source: a default, a CHECK of a domain, an expression or
 * condition of an index, an expression of a partition key.  Whoever owns a table at the source writes them; at the
 * destination they would run with the rights of the user that sluice logs in as.
 *
 * So they are read in the form in which the server stores them (pg_attrdef.adbin and its like, as text), which names
 * every function and operator by OID, whatever the search path was and whatever casts and overloading hide:
 *
 *	{FUNCEXPR :funcid 871 … :args ({CONST :consttype 25 … :constvalue 5 [ 20 0 0 0 120 ]}) :location 54}
 *
 * A kind of node or a field that is not known here refuses the whole expression: a later server may have any.  Types
 * and collations are not asked about: sluice makes a type from what passed the same rule, and any other one is the
 * destination's own, as the columns' types are.
 *
 * Pure: what the OIDs stand for is the caller's to find out (servers/vetting.h), and expression_allows() judges it.
 * Known are the trees of PostgreSQL 13 to 18.
 */
#ifndef SLUICE_EXPRESSION_H
#define SLUICE_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPRESSION_REASON_MAX 320

enum expression_object { EXPRESSION_FUNCTION, EXPRESSION_OPERATOR };

/* Is shown every function and operator that the expression names, in its order; false ends the reading. */
typedef bool (*expression_visitor)(void *arg, enum expression_object object, uint32_t oid);

/*
 * Reads one tree, or a list of trees.  False where the visitor returned false, which leaves `reason` to it, and where
 * the expression has something that is not known to be harmless: then `reason` says what, for a person.
 */
bool expression_read(const char *tree, expression_visitor visit, void *arg,
					 char reason[EXPRESSION_REASON_MAX]);

/*
 * Whether a function of pg_catalog that came with the server may be called, by its name and pg_proc.provolatile.
 * Immutable ones may: they read and write nothing but their arguments, with the exceptions that the code lists.  Of
 * the others, those that are listed.
 */
bool expression_allows(const char *function, char volatility);

#endif
