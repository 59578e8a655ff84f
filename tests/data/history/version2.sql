-- A history.db as version 2 wrote it, for the tests of upgrades: port p0 with rows 3, 4 and 8 of 10, p1 with two, a link with points.
-- SPDX-License-Identifier: MIT
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE port ( port_id INTEGER PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, port INTEGER NOT NULL, link TEXT, instance INTEGER NOT NULL, last_seq INTEGER NOT NULL, last_ts_ns INTEGER NOT NULL, speed_mbps INTEGER NOT NULL, up INTEGER NOT NULL, UNIQUE (host, name));
CREATE TABLE port_instance ( port_id INTEGER NOT NULL, instance INTEGER NOT NULL, n_rows INTEGER NOT NULL, last_seq INTEGER NOT NULL, PRIMARY KEY (port_id, instance)) WITHOUT ROWID;
CREATE TABLE name_set (names_id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE port_sample ( port_id INTEGER NOT NULL, ts_ns INTEGER NOT NULL, instance INTEGER NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, up INTEGER NOT NULL, rx_packets INTEGER NOT NULL, tx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL, tx_bytes INTEGER NOT NULL, rx_missed INTEGER NOT NULL, rx_errors INTEGER NOT NULL, tx_errors INTEGER NOT NULL, rx_nombuf INTEGER NOT NULL, names_id INTEGER, extra BLOB, PRIMARY KEY (port_id, ts_ns, instance, seq)) WITHOUT ROWID;
CREATE TABLE source ( host TEXT NOT NULL, instance INTEGER NOT NULL, interval_ns INTEGER NOT NULL, dropped INTEGER NOT NULL, last_ns INTEGER NOT NULL, PRIMARY KEY (host, instance)) WITHOUT ROWID;
CREATE TABLE kpi_series ( series_id INTEGER PRIMARY KEY, link_id TEXT NOT NULL, direction INTEGER NOT NULL, kpi INTEGER NOT NULL, UNIQUE (link_id, direction, kpi));
CREATE TABLE kpi_sample ( series_id INTEGER NOT NULL, ts_ns INTEGER NOT NULL, gbps REAL NOT NULL, source INTEGER NOT NULL, PRIMARY KEY (series_id, ts_ns)) WITHOUT ROWID;
CREATE TABLE port_gap ( port_id INTEGER NOT NULL, instance INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, gone INTEGER NOT NULL, PRIMARY KEY (port_id, instance, from_seq)) WITHOUT ROWID;
INSERT INTO port VALUES (1, 'h', 'p0', 3, 'L', 9223372036854775807, 10, 8000000000, 10000, 1);
INSERT INTO port VALUES (2, 'h', 'p1', 4, NULL, 7, 2, 2000000000, 0, 0);
INSERT INTO port_instance VALUES (1, 9223372036854775807, 3, 10);
INSERT INTO port_instance VALUES (2, 7, 2, 2);
INSERT INTO name_set VALUES (1, 'rx_q0
rx_q1
');
INSERT INTO port_sample (port_id, ts_ns, instance, seq, epoch, up, rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf, names_id, extra) VALUES (1, 3000000000, 9223372036854775807, 3, 1, 1, 30, 31, 32, 33, 34, 35, 36, -3, NULL, NULL);
INSERT INTO port_sample (port_id, ts_ns, instance, seq, epoch, up, rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf, names_id, extra) VALUES (1, 4000000000, 9223372036854775807, 4, 1, 1, 40, 41, 42, 43, 44, 45, 46, -4, 1, x'a00f000000000000fcffffffffffffff');
INSERT INTO port_sample (port_id, ts_ns, instance, seq, epoch, up, rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf, names_id, extra) VALUES (1, 8000000000, 9223372036854775807, 8, 1, 1, 80, 81, 82, 83, 84, 85, 86, -8, 1, x'401f000000000000f8ffffffffffffff');
INSERT INTO port_sample (port_id, ts_ns, instance, seq, epoch, up, rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf, names_id, extra) VALUES (2, 1000000000, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL);
INSERT INTO port_sample (port_id, ts_ns, instance, seq, epoch, up, rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf, names_id, extra) VALUES (2, 2000000000, 7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL);
INSERT INTO source VALUES ('h', 9223372036854775807, 1000000000, 2, 9000000000);
INSERT INTO kpi_series VALUES (1, 'L', 0, 302);
INSERT INTO kpi_series VALUES (2, 'L', 1, 301);
INSERT INTO kpi_sample VALUES (1, 1000000000, 0.125, 0);
INSERT INTO kpi_sample VALUES (1, 2000000000, 0.3333333333333333, 1);
INSERT INTO kpi_sample VALUES (1, 3000000000, 0, 1);
INSERT INTO kpi_sample VALUES (1, 7000000000, 12.5, 0);
INSERT INTO kpi_sample VALUES (2, 5000000000, 100, 0);
INSERT INTO port_gap VALUES (1, 9223372036854775807, 1, 2, 1);
INSERT INTO port_gap VALUES (1, 9223372036854775807, 5, 7, 0);
INSERT INTO port_gap VALUES (1, 9223372036854775807, 9, 10, 0);
PRAGMA user_version = 2;
COMMIT;
