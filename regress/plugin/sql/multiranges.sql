-- from version 14
CREATE TYPE floats AS RANGE (subtype = float8, multirange_type_name = many_floats);
CREATE TABLE built_in (id int PRIMARY KEY, v nummultirange, w int4multirange[]);
CREATE TABLE made_here (id int PRIMARY KEY, v many_floats);
INSERT INTO built_in VALUES (1, '{[1,2.5),[3,)}', '{"{}","{[1,2]}"}');
INSERT INTO made_here VALUES (1, '{[1,2.5),[3,)}');
SELECT * FROM changes();
