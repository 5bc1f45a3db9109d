# The traffic of the campaign of faults: what may happen at the source in one round.  Each is a function that makes SQL
# of chance, and stands by itself, so that any of them can be left out.
package Actions;

use strict;
use warnings;

sub dice { return int rand $_[0]; }
sub one_of { return $_[ int rand @_ ]; }
sub some { my ($n) = @_; return 1 + dice($n); }

# [weight, name, function]
our @all = (
	[ 4, 'keyed', \&_keyed ],
	[ 4, 'keyless', \&_keyless ],
	[ 4, 'toast', \&_toast ],
	[ 3, 'swap', \&_swap ],
	[ 3, 'move keys', \&_move_keys ],
	[ 3, 'partitions', \&_partitions ],
	[ 2, 'leaves', \&_leaves ],
	[ 3, 'large', \&_large ],
	[ 3, 'nested', \&_nested ],
	[ 3, 'long', \&_long ],
	[ 3, 'prepared', \&_prepared ],
	[ 4, 'define', \&_define ],
	[ 3, 'make', \&_make ],
	[ 2, 'drop', \&_drop ],
	[ 2, 'rename', \&_rename ],
	[ 2, 'truncate', \&_truncate ],
	[ 3, 'filtered', \&_filtered ],
	[ 3, 'shared', \&_shared ],
	[ 3, 'types', \&_types ],
	[ 4, 'indexes', \&_indexes ],
	[ 1, 'maintain', \&_maintain ],
	[ 1, 'messages', \&_messages ],
	[ 2, 'mixed', \&_mixed ],
);

our @made = map { "new$_" } 1 .. 3;	# tables that come and go

sub _transaction
{
	my (@statements) = @_;
	return "BEGIN;\n" . join(";\n", @statements) . ";\n" . one_of(('COMMIT') x 9, 'ROLLBACK') . ";\n";
}

sub _change
{
	my ($table, $value) = @_;
	my $id = some(2500);
	my $most = $id + dice(30);
	return one_of(
		"INSERT INTO $table (id, $value, n) SELECT i, 'new ' || i, 1 FROM generate_series($id, $most) i ON CONFLICT DO NOTHING",
		"UPDATE $table SET n = n + 1 WHERE id BETWEEN $id AND $most",
		"UPDATE $table SET n = NULLIF(n, 3), $value = $value || '.' WHERE id BETWEEN $id AND $most",
		"DELETE FROM $table WHERE id BETWEEN $id AND $most");
}

sub _keyed
{
	my $table = one_of(qw(keyed keyed indexed));
	my @changes = map { _change($table, 'v') } 1 .. some(6);
	my ($a, $p) = (some(500), dice(9));
	push @changes, "UPDATE pair SET v = v + 1 WHERE a BETWEEN $a AND $a + 5", "DELETE FROM pair WHERE a = $a + 7",
	  "INSERT INTO pair VALUES ($a, 'p$p', 7) ON CONFLICT DO NOTHING";
	return $table eq 'indexed' ? _transaction(map { s/ ON CONFLICT DO NOTHING//r } grep { !/^INSERT INTO indexed/ } @changes)
	  : dice(3) ? _transaction(@changes) : join(";\n", @changes) . ";\n";
}

sub _keyless
{
	my ($a, $k) = (dice(20), some(20));
	my $some_rows = "ctid IN (SELECT ctid FROM bag WHERE a = $a LIMIT $k)";
	return _transaction(map { one_of(
		"INSERT INTO bag SELECT $a, NULLIF('b' || i % 3, 'b0'), i % 4, '{\"a\": 1}', 'NaN' FROM generate_series(1, $k) i",
		"INSERT INTO bag SELECT * FROM bag WHERE a = $a LIMIT $k",
		"DELETE FROM bag WHERE $some_rows",
		"UPDATE bag SET b = CASE WHEN b IS NULL THEN 'u' END WHERE $some_rows",
		"UPDATE bag SET c = 1.0, e = -0.0 WHERE $some_rows",
		"DELETE FROM bag WHERE a = $a AND (SELECT count(*) FROM bag) > 1500") } 1 .. some(4));
}

sub _toast
{
	my $table = one_of(qw(wide wide wide_full));
	my $id = some(150);
	my $to = some(300);
	my $size = some(6000);
	return _transaction(map { one_of(
		"UPDATE $table SET n = n + 1 WHERE id BETWEEN $id AND $id + 10",
		"UPDATE $table SET note = md5(n::text) WHERE id % 7 = $id % 7",
		"UPDATE $table SET big = repeat('x$id', $size) WHERE id = $id",
		"UPDATE $table SET big = NULL WHERE id = $id",
		"UPDATE $table SET id = $to WHERE id = $id AND NOT EXISTS (SELECT FROM $table WHERE id = $to)",
		"DELETE FROM $table WHERE id = $to",
		"INSERT INTO $table VALUES ($to, 0, repeat('y$to', $size), 'again') ON CONFLICT (id) DO UPDATE SET n = $table.n + 1") } 1 .. some(5));
}

sub _swap
{
	my ($one, $other) = (some(200), some(200));
	return _transaction(map { one_of(
		"CALL control.swap('place', 1000 - $one, 1000 - $other)",
		"CALL control.swap('id', $one, $other)",
		"UPDATE swapped SET place = place + 100000; UPDATE swapped SET place = 800 + (place - 100000 - 800 + $one) % 200 WHERE place BETWEEN 100800 AND 100999;"
			. " UPDATE swapped SET place = place - 100000 WHERE place > 50000",
		"UPDATE swapped SET v = v || '.' WHERE id = $one") } 1 .. some(3));
}

sub _move_keys
{
	my $table = one_of(qw(keyed indexed wide));
	my $id = some(140);
	# One after the other, through a place that is free.
	return _transaction("UPDATE $table SET id = -id WHERE id BETWEEN $id AND $id + 4", "UPDATE $table SET n = n + 1 WHERE id BETWEEN -$id - 2 AND -$id",
		"UPDATE $table SET id = -id + 1 WHERE id BETWEEN -$id - 4 AND -$id AND NOT EXISTS (SELECT FROM $table WHERE id = $id + 5)",
		"UPDATE $table SET id = -id WHERE id BETWEEN -$id - 4 AND -$id");
}

sub _partitions
{
	my ($id, $day) = (some(700), dice(30));
	return _transaction(map { one_of(
		"INSERT INTO parts SELECT i, $day, 'new' FROM generate_series($id, $id + 20) i ON CONFLICT DO NOTHING",
		"UPDATE parts SET day = (day + 11) % 30 WHERE id BETWEEN $id AND $id + 10 AND day < 30",
		"UPDATE parts SET v = v || '.' WHERE day = $day",
		"DELETE FROM parts WHERE id % 40 = $id % 40") } 1 .. some(4));
}

# Leaves that are attached, with rows and without, detached and truncated.
sub _leaves
{
	my $number = 100 + 10 * dice(20);
	my $rows = one_of(0, 0, 30);
	my $bounds = "FOR VALUES FROM ($number) TO (@{[ $number + 10 ]})";
	return one_of(
		"BEGIN; CREATE TABLE leaves.x_$number (LIKE parts INCLUDING ALL);
			INSERT INTO leaves.x_$number SELECT i, $number + i % 10, 'attached' FROM generate_series(1, $rows) i;
			ALTER TABLE parts ATTACH PARTITION leaves.x_$number $bounds; COMMIT;
			INSERT INTO parts SELECT i, $number, 'later' FROM generate_series(1000, 1010) i ON CONFLICT DO NOTHING;\n",
		"BEGIN; ALTER TABLE parts DETACH PARTITION leaves.x_$number; DROP TABLE leaves.x_$number; COMMIT;\n",
		"TRUNCATE leaves.parts_1;\n",
		"CREATE TABLE leaves.x_$number PARTITION OF parts $bounds; INSERT INTO parts VALUES (1, $number, 'new');\n");
}

sub _large
{
	my $from = 10000 * some(20);
	my $rows = 2000 + dice(8000);
	return _transaction("INSERT INTO bulk SELECT i, md5(i::text), 0 FROM generate_series($from, $from + $rows) i ON CONFLICT DO NOTHING",
		"UPDATE bulk SET n = n + 1 WHERE id BETWEEN $from AND $from + 500",
		one_of("DELETE FROM bulk WHERE id < $from", "DELETE FROM bulk WHERE id % 3 = 0", "UPDATE keyed SET n = n + 1", "UPDATE wide SET n = n + 1"),
		one_of('SELECT 1', "INSERT INTO bag SELECT 5, v, n FROM bulk WHERE id BETWEEN $from AND $from + 200", 'TRUNCATE bulk'));
}

sub _nested { return 'BEGIN; CALL control.nest(' . some(8) . ', ' . some(800) . '); ' . one_of('COMMIT', 'COMMIT', 'ROLLBACK') . ";\n"; }

# Large and slow: faults come while it is open, and while it is being received.
sub _long
{
	my $from = 1_000_000 + 10000 * dice(50);
	my @parts = map { one_of(
		"INSERT INTO bulk SELECT i, md5(i::text), $_ FROM generate_series($from + 1000 * $_, $from + 1000 * $_ + 800) i ON CONFLICT DO NOTHING",
		"UPDATE bulk SET n = n + 1 WHERE id BETWEEN $from AND $from + 5000",
		"DELETE FROM bulk WHERE id BETWEEN $from AND $from + 300",
		"INSERT INTO bag SELECT i % 20, 'long', $_ FROM generate_series(1, 100) i",
		"SAVEPOINT s; UPDATE wide SET big = repeat('l', 5000) WHERE id % 9 = $_; ROLLBACK TO s",
		"SAVEPOINT s; UPDATE keyed SET n = n + 1 WHERE id % 5 = 1; RELEASE s") } 1 .. 3 + dice(4);
	return _transaction(map { ($_, 'SELECT pg_sleep(0.' . dice(3) . ')') } @parts);
}

# Some are left open until the end of the round.
sub _prepared
{
	my $name = sprintf 'faults %06d', dice(1_000_000);
	my $end = one_of("COMMIT PREPARED '$name';", "ROLLBACK PREPARED '$name';", '');
	return "BEGIN;\n" . join(";\n", _change('keyed', 'v'), _change('bulk', 'v'), "INSERT INTO bag VALUES (3, 'prepared')")
	  . ";\nPREPARE TRANSACTION '$name';\nUPDATE keyed SET n = n + 1 WHERE id > 1990;\n$end\n";
}

sub _define
{
	my $column = one_of(qw(x y z));
	my $other = one_of(qw(x y z));
	my $number = one_of(qw(int bigint numeric));
	my @alter = map { 'ALTER TABLE changed ' . $_ } map { one_of(
		"ADD $column int", "ADD $column int DEFAULT 7", "ADD $column text NOT NULL DEFAULT 'd'", "ADD $column float8 DEFAULT random()",
		"DROP $column", "DROP $column", "RENAME $column TO $other", "ALTER n TYPE $number", "ALTER n TYPE $number USING (n + 1)::$number",
		"ALTER v SET NOT NULL", "ALTER v DROP NOT NULL", 'REPLICA IDENTITY FULL', 'REPLICA IDENTITY DEFAULT') } 1 .. some(3);
	my $id = some(300);
	my @changes = map { one_of("UPDATE changed SET v = v || '.' WHERE id BETWEEN $id AND $id + 20", "DELETE FROM changed WHERE id = $id",
		"INSERT INTO changed (id, v, n) VALUES ($id, 'new', 1) ON CONFLICT (id) DO UPDATE SET n = 1") } 1 .. 3;
	return dice(2) ? _transaction($changes[0], $alter[0], @changes[ 1, 2 ]) : join ";\n", @alter, @changes, '';
}

# A target made and filled; without a key until the round's end for some.
sub _make
{
	my $name = one_of(@made);
	my $key = one_of('PRIMARY KEY', 'PRIMARY KEY', '');
	my $identity = $key ? '' : "ALTER TABLE $name REPLICA IDENTITY FULL;";
	return one_of(
		"BEGIN; CREATE TABLE $name (id int $key, v text, n int); $identity INSERT INTO $name SELECT i, 'made', 0 FROM generate_series(1, 300) i; COMMIT;",
		"CREATE TABLE $name (id int $key, v text, n int);\n$identity\nINSERT INTO $name SELECT i, 'made', 0 FROM generate_series(1, 300) i;",
		"CREATE TABLE $name AS SELECT id, v, n FROM keyed;\nALTER TABLE $name REPLICA IDENTITY FULL;")
	  . "\nUPDATE $name SET n = n + 1 WHERE id % 10 = 1;\nDELETE FROM $name WHERE id % 30 = 2;\n";
}

sub _drop { return 'DROP TABLE ' . one_of(@made) . ";\n"; }

sub _rename
{
	my ($one, $other) = (one_of(@made), one_of(@made));
	my $update = "UPDATE $one SET n = n + 1 WHERE id < 30;\n";
	return one_of(
		"ALTER TABLE $one RENAME TO $other;\n$update",
		"BEGIN; ALTER TABLE new1 RENAME TO passing; ALTER TABLE new2 RENAME TO new1; ALTER TABLE passing RENAME TO new2; $update COMMIT;\n",
		"BEGIN; DROP TABLE $one; CREATE TABLE $one (id int PRIMARY KEY, v text, n int); INSERT INTO $one SELECT i, 'again', 1 FROM generate_series(1, 50) i; COMMIT;\n");
}

sub _truncate
{
	my @tables = map { one_of(qw(emptied emptied bulk bag keyed parts changed filtered wide)) } 1 .. some(2);
	@tables = $tables[0] if @tables > 1 && $tables[0] eq $tables[1];
	my $list = join ', ', @tables;
	return _transaction("TRUNCATE $list", "INSERT INTO emptied (v) SELECT 'new' || i FROM generate_series(1, 20) i",
		one_of('SELECT 1', "INSERT INTO keyed SELECT i, 'filled', 0 FROM generate_series(1, 1000) i ON CONFLICT DO NOTHING"),
		one_of('SELECT 1', "INSERT INTO wide SELECT i, 0, repeat('f', 4000), 'filled' FROM generate_series(1, 50) i ON CONFLICT DO NOTHING"));
}

sub _filtered
{
	my $table = one_of(qw(filtered filtered_full));
	my $value = $table eq 'filtered' ? 'note' : 'big';
	my $id = some(350);
	my $region = one_of("'EU'", "'US'", 'NULL');
	my $free = $id + 1000;
	return _transaction(map { one_of(
		"UPDATE $table SET region = $region WHERE id BETWEEN $id AND $id + 9",
		"UPDATE $table SET n = n + 1 WHERE id BETWEEN $id AND $id + 9",
		"UPDATE $table SET $value = repeat('z', 10) WHERE id = $id",
		"DELETE FROM $table WHERE id = $id + 3",
		"INSERT INTO $table VALUES ($id, $region, $id, 'new') ON CONFLICT (id) DO UPDATE SET region = 'EU'",
		"UPDATE $table SET id = $free WHERE id = $id AND NOT EXISTS (SELECT FROM $table WHERE id = $free)") } 1 .. some(5));
}

# Rows of two tables with one target, some of which change their table.
sub _shared
{
	my $id = 2 * some(250);
	return _transaction(map { one_of(
		"INSERT INTO shared_a VALUES ($id, 'new', 0) ON CONFLICT DO NOTHING",
		"INSERT INTO shared_b VALUES ($id + 1, 'new', 0) ON CONFLICT DO NOTHING",
		"UPDATE shared_a SET n = n + 1 WHERE id BETWEEN $id AND $id + 20",
		"UPDATE shared_b SET v = v || '.' WHERE id BETWEEN $id AND $id + 20",
		"DELETE FROM shared_a WHERE id = $id",
		"DELETE FROM shared_b WHERE id = $id + 1",
		"INSERT INTO archive VALUES ($id, 'new') ON CONFLICT (id) DO UPDATE SET v = 'again'") } 1 .. some(5));
}

sub _types
{
	my $id = some(120);
	return "INSERT INTO typed SELECT i, i / 3.0, timestamptz '2024-02-29 12:00+02' + i * interval '1 day', ARRAY['2024-01-01', NULL]::date[], decode(md5(i::text), 'hex'),
			'{\"k\": [1, \"\\u00e4\"]}', interval '1 month -3 days', md5(i::text)::uuid, i % 2 = 0, 'x', '10.0.0.0/8', i / 3.0
		FROM generate_series($id, $id + 20) i ON CONFLICT DO NOTHING;
		UPDATE typed SET a = " . one_of("'NaN'", 'a * 1.00', '-a', 'NULL') . ', b = ' . one_of("'infinity'", "'0044-03-15 BC'", 'b', 'now()') . ",
			k = " . one_of("'-Infinity'", '1e-30', 'k') . " WHERE id BETWEEN $id AND $id + 9;
		DELETE FROM typed WHERE id = $id + 11;\n";
}

sub _indexes
{
	my $name = 'passing_' . some(3);
	my ($table, $columns) = @{ one_of([ 'keyed', 'n' ], [ 'keyed', '(n / 2) DESC' ], [ 'keyed', 'id, n' ], [ 'wide', 'note, n' ], [ 'changed', 'v' ], [ 'bag', 'a' ], [ 'typed', 'b' ]) };
	my $unique = $columns eq 'id, n' ? one_of('UNIQUE ', '') : '';
	return one_of("CREATE ${unique}INDEX $name ON $table ($columns);\n", "CREATE INDEX CONCURRENTLY $name ON $table ($columns);\n", "DROP INDEX $name;\n", "ALTER INDEX $name RENAME TO passing_" . some(3) . ";\n")
	  . "UPDATE $table SET " . ($table eq 'bag' ? 'c = 2' : $table eq 'changed' ? "v = v || 'i'" : $table eq 'typed' ? 'b = now()' : 'n = n + 1') . " WHERE " . ($table eq 'bag' ? 'a' : 'id') . " % 19 = 3;\n";
}

sub _maintain { my $table = one_of(qw(keyed wide changed bag)); return one_of("VACUUM FULL $table", "ANALYZE $table", 'CHECKPOINT', "VACUUM $table", 'SELECT pg_switch_wal()') . ";\n"; }

sub _messages { return "SELECT pg_logical_emit_message(" . one_of('true', 'false') . ", 'sluice', repeat('m', " . some(100000) . "));\n"; }

# One transaction over many tables, with what was there before.
sub _mixed
{
	my @parts = map { $_->() } map { one_of(\&_keyless, \&_toast, \&_filtered, \&_partitions, \&_shared, \&_swap) } 1 .. 3;
	return _transaction(map { s/^BEGIN;\n//r =~ s/;\n(COMMIT|ROLLBACK);\n\z//r } @parts);
}

1;
